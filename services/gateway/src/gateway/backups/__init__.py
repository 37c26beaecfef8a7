"""Backups: what was asked for, what stands in the repository, and where copies are."""
