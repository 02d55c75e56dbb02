"""The asset graph: thin glue between Dagster and the domain code, one file an asset."""
