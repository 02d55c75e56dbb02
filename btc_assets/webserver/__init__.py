"""Dagster's webserver behind a guard, so that no other web page drives it through the operator's browser."""
