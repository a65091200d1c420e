"""Statistics that several domains share: models, how they are judged, and how they are kept.

Belongs here: what works on arrays. Not here: tables, tenants, and what a domain's expert believes (the domain's room).
"""
