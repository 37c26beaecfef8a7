"""Text that the gateway keeps and others will be shown."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from gateway.validation.text import inspect

LONGEST = 500


def _harmless(text: str) -> str:
    found = inspect(text, LONGEST)
    if not found.valid:
        raise ValueError(found.errors[0])
    return text


PlainText = Annotated[str, StringConstraints(max_length=LONGEST), AfterValidator(_harmless)]
"""Prose in any language, without control characters and without what attacks are made of."""
