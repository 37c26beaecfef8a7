"""Input text: what is wrong with it, and a harmless form of it."""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

import nh3

from gateway.validation.patterns import Threat, threats_in

TOO_LONG = "Input too long"
CONTROL = "Control characters detected"
NUL = "Null byte detected"
ENCODING = "Invalid encoding detected"
SUSPICIOUS = "Suspicious content detected"
BIDI = "Text direction is overridden"
HIDDEN = "Invisible characters detected"

_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_UNENCODABLE = re.compile("[\ud800-\udfff\ufffe\uffff]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Joiners are left out: emoji, Persian and Indian scripts are written with them.
_HIDDEN = re.compile("[\u00ad\u180e\u200b\u2060-\u2064\ufeff\U000e0001-\U000e007f]")
_NOT_SHOWN = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
_COMMENT = re.compile(r"/\*[^*]{0,100}\*/")
# The flags of England, Scotland and Wales are spelt with letters that are not shown.
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f")
_ROUNDS = 8
_DECODINGS = 2


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found; nothing of the text was changed."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    threats: list[Threat] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Whether the text may be used."""
        return not self.errors


def inspect(text: str, max_length: int) -> Inspection:
    """Look for what attacks are made of; only the first ``max_length`` characters are searched."""
    found = Inspection()
    if len(text) > max_length:
        found.errors.append(TOO_LONG)
        text = text[:max_length]
    if "\0" in text:
        found.errors.append(NUL)
    if _CONTROL.search(text):
        found.errors.append(CONTROL)
    if _UNENCODABLE.search(text):
        found.errors.append(ENCODING)
    if _BIDI.search(text):
        found.warnings.append(BIDI)
    if _HIDDEN.search(_FLAG.sub("", text)):
        found.warnings.append(HIDDEN)
    threats: set[Threat] = set()
    for reading in _readings(text, max_length):
        threats |= threats_in(reading)
    if threats:
        found.errors.append(SUSPICIOUS)
        found.threats.extend(sorted(threats))
    return found


def _readings(text: str, max_length: int) -> Iterator[str]:
    """The text as the different parties that may come to read it would.

    Decoding makes some characters many; what lies beyond the bound is not looked at.
    """
    seen = {text}
    yield text
    reading = text
    for _ in range(_DECODINGS):
        reading = unicodedata.normalize("NFKC", _NOT_SHOWN.sub("", reading))[: 2 * max_length]
        reading = html.unescape(unquote(reading, errors="replace"))
        for each in (reading, _COMMENT.sub(" ", reading)):
            if each not in seen:
                seen.add(each)
                yield each


def sanitize(text: str) -> str:
    """A harmless form of the text as HTML: no active content, no character that cannot be stored.

    Formatting stays. Sanitizing what was sanitized changes nothing.
    """
    text = _UNENCODABLE.sub("", _CONTROL.sub("", text.replace("\0", "")))
    for _ in range(_ROUNDS):
        cleaned = nh3.clean(text)
        if cleaned == text:
            return cleaned
        text = cleaned
    return nh3.clean(text, tags=set())
