"""How good forecasts were: metrics with their sources, score rows, and the table that sums them up."""
