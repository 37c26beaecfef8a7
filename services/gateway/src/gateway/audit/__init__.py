"""The audit log, as audit-sink tells it."""
