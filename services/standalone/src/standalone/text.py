"""Numbers and times as people read them."""

from datetime import datetime

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(count: float) -> str:
    """Bytes in decimal units: 1.2 GB."""
    for unit in _UNITS:
        if abs(count) < 999.5 or unit == _UNITS[-1]:  # noqa: PLR2004 - the next unit takes over
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def duration(seconds: float) -> str:
    """A time span: 0.4 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def count(number: int, noun: str) -> str:
    """1 file, 2 files; 2 entries, but 2 keys."""
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{number:,} {plural}"


def moment(stamp: str | None) -> str:
    """A time in ISO 8601, in the zone of whoever reads it; never, if there was none."""
    if stamp is None:
        return "never"
    return f"{datetime.fromisoformat(stamp).astimezone():%Y-%m-%d %H:%M:%S}"
