"""The documented /api/v2/security family, but for the audit log."""
