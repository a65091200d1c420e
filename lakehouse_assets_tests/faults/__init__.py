"""Faults: real processes are killed, starved, crowded and fed with damaged files; what readers see must stay true."""
