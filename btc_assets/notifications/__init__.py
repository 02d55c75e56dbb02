"""Alarms: what is wrong, who is told of it, and that each cause is told once. Knows nothing of Dagster."""
