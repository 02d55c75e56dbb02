"""What pages and API show, read from tables, registry and market."""
