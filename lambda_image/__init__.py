"""The Lambdas: one lands the closed candle and starts the day in Dagster, ``partition`` runs it itself."""
