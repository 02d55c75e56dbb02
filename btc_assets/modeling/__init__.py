"""From closed candles to quantiles of the coming closes: features, baselines, networks, vintages."""
