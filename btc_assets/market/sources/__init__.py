"""The places candles come from, behind one protocol."""
