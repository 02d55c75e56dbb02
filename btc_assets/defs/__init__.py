"""Everything Dagster: assets, checks, automation, partitions, resources; ``definitions.py`` lists them."""
