"""The framework: declares, builds, judges, stores and looks after tables.

It knows nothing of any domain, and no other package touches the storage of the lake.
"""
