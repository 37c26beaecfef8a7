"""A client of the HTTP API, as the command line uses it."""

from standalone.client.api import Api, connect

__all__ = ["Api", "connect"]
