"""Values out of JSON bodies: the right type, or ``Corrupt`` with the object's name."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from common.errors import Corrupt

T = TypeVar("T")

_LARGEST = 2**63


class Fields:
    """The fields of one JSON object inside the repository object ``name``."""

    def __init__(self, body: Mapping[str, Any], name: str) -> None:
        self.body = body
        self.name = name

    def text(self, field: str) -> str:
        """A string."""
        return self._typed(field, str)

    def number(self, field: str) -> int:
        """A whole number, not negative and below 2^63."""
        value = self._typed(field, int)
        if isinstance(value, bool) or not 0 <= value < _LARGEST:
            raise self.wrong(field)
        return value

    def flag(self, field: str) -> bool:
        """True or false."""
        return self._typed(field, bool)

    def mapping(self, field: str) -> dict[str, Any]:
        """An object."""
        return self._typed(field, dict)

    def fields(self, field: str) -> "Fields":
        """An object, to be read further."""
        return Fields(self.mapping(field), self.name)

    def rows(self, field: str, *, optional: bool = False) -> list["Fields"]:
        """A list of objects; one that is optional may be left out when it is empty."""
        if optional and field not in self.body:
            return []
        rows = self._typed(field, list)
        if not all(isinstance(row, dict) for row in rows):
            raise self.wrong(field)
        return [Fields(row, self.name) for row in rows]

    def list(self, field: str) -> list[Any]:
        """A list of anything."""
        return self._typed(field, list)

    def binary(self, field: str) -> bytes:
        """Bytes written in base64."""
        try:
            return base64.b64decode(self.text(field), validate=True)
        except ValueError as error:
            raise self.wrong(field) from error

    def hex(self, field: str, size: int) -> bytes:
        """Bytes written in lower-case hex."""
        text = self.text(field)
        try:
            value = bytes.fromhex(text)
        except ValueError as error:
            raise self.wrong(field) from error
        if len(value) != size or value.hex() != text:
            raise self.wrong(field)
        return value

    def time(self, field: str) -> datetime:
        """A point in time, with its zone."""
        try:
            value = datetime.fromisoformat(self.text(field))
        except ValueError as error:
            raise self.wrong(field) from error
        if value.tzinfo is None:
            raise self.wrong(field)
        return value

    def wrong(self, field: str) -> Corrupt:
        """The error that this field is not as it must be."""
        return Corrupt(f"{self.name} is damaged: its field {field} is not as it must be.")

    def _typed(self, field: str, kind: type[T]) -> T:
        value = self.body.get(field)
        if not isinstance(value, kind):
            raise self.wrong(field)
        return value


def encode(data: bytes) -> str:
    """Bytes as JSON holds them."""
    return base64.b64encode(data).decode()
