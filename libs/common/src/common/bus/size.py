"""Messages as bytes, within the limit."""

from common.bus.transport import Policy, TooLarge
from common.messages import Envelope, encode


def body_of(envelope: Envelope, policy: Policy) -> bytes:
    """The bytes of ``envelope``.

    Raises:
        TooLarge: more than the bus carries.
    """
    body = encode(envelope)
    if len(body) > policy.message_bytes:
        raise TooLarge(
            f"A {envelope.type} message has {len(body)} bytes; {policy.message_bytes} are allowed."
        )
    return body
