"""What the tables of customers share: what one row is about, and how far back its figures reach.

Belongs here: key and lengths. Not here: figures (`customer360`, `ml_features`).
"""

from __future__ import annotations

CUSTOMER = ("date", "customer_id")
# Days of trailing figures, the date itself included.
TRAILING_DAYS = 365
RECENT_DAYS = 30
