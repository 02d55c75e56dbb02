"""Dagster's webserver behind a filter, so that no other web page drives it through the operator's browser."""
