"""Model registries: one protocol, a folder, S3, and verified local copies."""
