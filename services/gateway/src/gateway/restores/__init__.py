"""Restores: what comes back, and where to."""
