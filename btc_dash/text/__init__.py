"""Sentences and formatted numbers."""
