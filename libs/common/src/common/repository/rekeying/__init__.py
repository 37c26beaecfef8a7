"""Changing keys: the key pair, the encryption key, recovery keys. Every step may be the last."""
