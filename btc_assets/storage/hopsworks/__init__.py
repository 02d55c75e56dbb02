"""Tables as feature groups and models in a model registry, on a Hopsworks server.

Importing this package imports nothing of the client, which is slow and changes global state; the first
connection does.
"""
