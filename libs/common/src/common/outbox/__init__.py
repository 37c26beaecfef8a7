"""State change and message in one transaction; a relay puts the messages on the bus."""

from common.outbox.context import Context, unit_of_work
from common.outbox.relay import Relay

__all__ = ["Context", "Relay", "unit_of_work"]
