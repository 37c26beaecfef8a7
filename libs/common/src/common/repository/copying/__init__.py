"""Copying backups into another repository: as they are, or under other keys."""
