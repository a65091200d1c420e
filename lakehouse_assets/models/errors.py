"""What goes wrong with a model.

Belongs here: the models' branch of the one error family. Not here: failures of storage or of a contract.
"""

from __future__ import annotations

from lakehouse_assets.lake.errors import LakeError


class ModelError(LakeError):
    """Training rows, an artefact or a prior that no model can be made of."""
