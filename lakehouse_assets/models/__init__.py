"""Statistics that several domains use, as plain functions of arrays.

Not here: features, labels and anything else that has a meaning in one domain; reading and writing tables.
"""
