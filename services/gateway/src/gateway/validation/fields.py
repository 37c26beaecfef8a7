"""Text that the gateway keeps and others will be shown."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from gateway.validation.text import inspect

LONGEST = 500


def harmless(text: str) -> str:
    """The same text, if it holds nothing that attacks are made of.

    Raises:
        ValueError: saying what is wrong with it.
    """
    found = inspect(text, LONGEST)
    if not found.valid:
        raise ValueError(found.errors[0])
    return text


PlainText = Annotated[str, StringConstraints(max_length=LONGEST), AfterValidator(harmless)]
"""Prose in any language, without control characters and without what attacks are made of."""
