"""Tables as Delta Lake folders, local or on S3."""
