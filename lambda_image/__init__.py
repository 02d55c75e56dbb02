"""The ingestion Lambda: lands the closed candle, then starts the day in Dagster. A small image of its own."""
