"""Codes for when every device with a second factor is gone."""
