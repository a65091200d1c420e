"""The business domains: one package each, with its sources and its tables by layer.

A domain depends on `lake` and `models`, and on another domain only by naming its tables.
"""
