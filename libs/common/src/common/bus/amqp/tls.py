"""TLS to RabbitMQ: the broker's certificate is always verified."""

import ssl
from pathlib import Path

from pydantic import SecretStr

from common.errors import Invalid


def client_context(
    url: SecretStr, authority: Path | None, certificate: Path | None, key: Path | None
) -> ssl.SSLContext | None:
    """What to connect with; None where the address is not ``amqps``.

    Raises:
        Invalid: files are named and the address would not use them, or they cannot be used.
    """
    if not url.get_secret_value().startswith("amqps:"):
        if authority or certificate or key:
            raise Invalid(
                "AMQP_CA_FILE, AMQP_CERTIFICATE_FILE or AMQP_KEY_FILE is set, and AMQP_URL does not"
                " ask for TLS.",
                remedy="Write amqps://user:password@host:5671/.",
            )
        return None
    try:
        context = ssl.create_default_context(cafile=authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate:
            context.load_cert_chain(certificate, key, password="")
    except OSError as error:
        raise Invalid(
            "AMQP_CA_FILE, AMQP_CERTIFICATE_FILE and AMQP_KEY_FILE cannot be used:"
            f" {error.strerror or type(error).__name__}.",
            remedy="They are PEM files, the key without a passphrase, and fit each other.",
        ) from error
    return context
