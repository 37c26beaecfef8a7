"""Looking into backups without restoring them."""
