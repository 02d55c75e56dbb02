"""Notifications: what is wrong, who is notified of it, each cause once. Knows nothing of Dagster."""
