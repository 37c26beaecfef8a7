"""What restore-worker decides, without doing any of it."""

import re
from collections.abc import Sequence

from common.errors import Invalid, NotFound

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]{0,199}")
FINDINGS_TOLD = 500
"""More findings than these are counted, not listed: an event is no place for a million lines."""


def check_name(name: str, what: str) -> str:
    """``name`` itself, if it can only ever be one entry of a folder.

    Raises:
        Invalid: it could lead elsewhere, hide, or collide with this service's own files.
    """
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"{name!r} is not acceptable as {what}.",
            remedy="Use one name of up to 200 letters, digits, and - _ . or space inside,"
            " without a slash.",
        )
    return name


def choose(wanted: Sequence[str], present: Sequence[str]) -> list[str]:
    """The components to restore, in the order of the snapshot; all of them where none is named.

    Raises:
        NotFound: the backup has none of that name.
    """
    unknown = sorted(set(wanted) - set(present))
    if unknown:
        raise NotFound(
            f"The backup has no component {', '.join(unknown)}.",
            remedy=f"It has: {', '.join(present) or 'none'}.",
        )
    return [name for name in present if not wanted or name in wanted]


def told(findings: Sequence[str]) -> tuple[str, ...]:
    """Findings as an event carries them."""
    rest = len(findings) - FINDINGS_TOLD
    if rest <= 0:
        return tuple(findings)
    return (*findings[:FINDINGS_TOLD], f"… and {rest} more.")
