"""Daily Bitcoin price forecasts as a Dagster asset graph, with proof of how good they are.

Nothing is imported here: the Lambda image uses ``btc_assets.market`` alone and must start fast.
"""

__version__ = "0.3.0"
