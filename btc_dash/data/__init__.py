"""What pages and API show, read from tables, registry and market.

All of it raises StorageError where the store fails and nothing was read before.
"""
