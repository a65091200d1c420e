"""Made-up landing zones of crm, of any size, as messy as real ones.

Belongs here: what lands. Not here: what should come of it (`oracle`), nor anything of the lakehouse itself.
"""

from lakehouse_assets_tests.landing_zones.spec import Spec
from lakehouse_assets_tests.landing_zones.writing import generate

__all__ = ["Spec", "generate"]
