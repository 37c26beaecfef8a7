"""Whose certificates the client believes."""

import os
import ssl
from pathlib import Path

import httpx

from common.errors import Invalid

VARIABLE = "STRONGROOM_CA_FILE"


def context(server: str) -> ssl.SSLContext:
    """The authority in STRONGROOM_CA_FILE alone; without it the public ones and the system's.

    Raises:
        Invalid: the file cannot be used.
    """
    file = os.environ.get(VARIABLE)
    if not server.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody; the others take a while
    if not file:
        usual = httpx.create_ssl_context()
        usual.load_default_certs()
        return usual
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:  # ssl.SSLError is one
        raise Invalid(
            f"{VARIABLE} names {file}, which cannot be used:"
            f" {error.strerror or type(error).__name__}.",
            remedy="Name a PEM file with the authority's certificate.",
        ) from error


def own(certificate: Path) -> ssl.SSLContext:
    """The certificate in this file itself, under whatever name: for the machine it belongs to."""
    found = ssl.create_default_context(cafile=certificate)
    found.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    found.check_hostname = False
    return found
