"""Metrics of quantile forecasts and tests of their differences; plain arrays in, numbers out."""
