"""Forecasters: whatever turns candles into quantiles of the close, ours or anybody's, run on equal terms."""
