"""What the lakehouse must answer about crm, computed once more from the contract alone.

Belongs here: plain Python over the landed files, slow and easy to check by eye. Not here: anything of the lakehouse
itself, nor a data frame library, so that the two can disagree.
"""

from lakehouse_assets_tests.oracle.answers import Oracle

__all__ = ["Oracle"]
