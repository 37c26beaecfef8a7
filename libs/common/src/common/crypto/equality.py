"""Comparing secrets in a time that does not say where they differ.

``hmac`` would load the OpenSSL of the system, beside the one of cryptography, to compare by that;
this is what it falls back on, of the interpreter itself.
"""

from _operator import _compare_digest as compare_digest

__all__ = ["compare_digest"]
