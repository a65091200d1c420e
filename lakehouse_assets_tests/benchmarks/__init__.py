"""What the lakehouse costs, measured beside what it is compared with, in one run: `make bench`.

Belongs here: the work, the measuring and the report. Not here: tests of what comes out; the one test here sees that the
benchmarks work, and never how fast anything is.
"""
