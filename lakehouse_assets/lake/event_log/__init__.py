"""Dagster's storage on this lake's scale: thousands of partitions recorded in seconds.

Belongs here: subclasses of Dagster's own storages that dagster.yaml names, and where they keep their files.
Not here: what is recorded (`recording`) and anything a table or a step does.

They lean on private parts of Dagster, which test_upstream_event_log.py pins.
"""
