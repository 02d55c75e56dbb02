"""What was issued, when, and from what: bitemporal candles and the chain of issue records."""
