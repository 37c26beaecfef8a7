"""The documented /api/v2/enhanced-backup family, over the same operations as /api/backups."""
