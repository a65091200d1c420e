"""A multi-tenant lakehouse in which every table is a Dagster asset.

`lake` is the framework and knows no domain, `models` holds the statistics that domains share, and `domains` holds the
tables. `definitions` puts them together for Dagster; `cli` is the `lakehouse` command. Nothing is imported here, so
that each part can be used without loading the others.
"""
