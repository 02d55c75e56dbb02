"""One consistent copy of tables, models, ledger and Dagster's records, taken while runs are writing."""
