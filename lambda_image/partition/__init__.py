"""The Lambda that runs a whole day on S3, without a Dagster server; its image holds the graph."""
