"""Logging in where the organisation logs in: OpenID Connect, off unless it is configured."""
