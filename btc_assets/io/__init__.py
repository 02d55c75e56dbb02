"""Files, objects on S3, progress: how bytes get in and out. Standard library only at import."""
