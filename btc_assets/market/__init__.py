"""Candles and where they come from. Standard library and HTTP only: the Lambda image imports this."""
