"""How long is kept what nothing needs any more: partitions by layer, and the files of older versions.

Belongs here: the figures, which the help of the command shows, so nothing heavy is imported. Not here: who is due
(`retention`), and what is deleted (`maintenance`).
"""

from __future__ import annotations

# The source document's data architecture, in years.
KEPT_YEARS: dict[str, int] = {"bronze": 2, "silver": 5, "gold": 7, "platinum": 1}
# A file becomes part of its table with the commit, so one younger than the longest run may still be needed.
VACUUM_HOURS = 168
LEAST_VACUUM_HOURS = 24
