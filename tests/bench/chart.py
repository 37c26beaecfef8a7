"""The chart of the document: wall times as multiples of the faster peer's, one bar a program."""

from collections.abc import Iterator

from bench import bars
from bench.bars import Measured
from bench.peers import OURS

_COLOURS = (
    (OURS, "#1f6feb"), ("restic", "#9aa4af"), ("borg", "#c9b458"), ("kopia", "#8d6e9c"),
)  # fmt: skip
_LEFT, _SCALE, _RIGHT = 190, 220, 190  # pixels: names, the length of 1, the seconds
_BAR, _GAP, _HEAD = 9, 10, 62
_WIDEST = 3.0


def draw(measured: list[Measured]) -> str:
    """An SVG image; the same results make the same bytes."""
    groups = [(each, phase) for each in measured for phase in each.phases]
    step = len(_COLOURS) * _BAR + _GAP
    width = _LEFT + int(_SCALE * _WIDEST) + _RIGHT
    height = _HEAD + step * len(groups) + _GAP
    body = [*_frame(height), *_legend()]
    for number, (each, phase) in enumerate(groups):
        body += _group(each, phase, _HEAD + number * step)
    size = f'width="{width}" height="{height}"'
    box = f'viewBox="0 0 {width} {height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} font-family="sans-serif">',
            "<title>Wall time of each phase, the faster peer's being 1</title>",
            f'<rect {size} fill="#ffffff"/>',
            *body,
            "</svg>\n",
        ]
    )


def _frame(height: int) -> Iterator[str]:
    for value, name in ((0.5, "the bar: 0.5"), (1.0, "the faster peer"), (2.0, "2"), (3.0, "3")):
        x = _LEFT + _SCALE * value
        dash = ' stroke-dasharray="3 3"' if value != 1 else ""
        ends = f'x1="{x:.0f}" y1="{_HEAD - 8}" x2="{x:.0f}" y2="{height}"'
        yield f'<line {ends} stroke="#d0d7de"{dash}/>'
        yield _text(x, _HEAD - 13, name, "middle")


def _legend() -> Iterator[str]:
    for number, (name, colour) in enumerate(_COLOURS):
        x = _LEFT + number * 100
        yield f'<rect x="{x}" y="10" width="10" height="10" fill="{colour}"/>'
        yield _text(x + 15, 19, name)


def _group(measured: Measured, phase: str, top: int) -> Iterator[str]:
    times = {name: measured.figure(phase, name, "wall").median for name in [OURS, *measured.peers]}
    unit = times[OURS] / (measured.wall_ratio(phase) or 1)
    middle = top + len(_COLOURS) * _BAR / 2 + 4
    yield _text(_LEFT - 8, middle, f"{measured.name}, {phase}", "end")
    for number, (name, colour) in enumerate(_COLOURS):
        if name not in times:
            continue
        ratio = times[name] / unit
        length = _SCALE * min(ratio, _WIDEST)
        y = top + number * _BAR
        yield (
            f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR - 1}" fill="{colour}"/>'
        )
        cut = f" (x {ratio:.1f})" if ratio > _WIDEST else ""
        over = name == OURS and ratio > bars.wall_bar(measured.name, phase)
        told = f"{times[name]:.2f} s{cut}{' - misses the bar' if over else ''}"
        yield _text(_LEFT + length + 4, y + _BAR - 1, told, size=9)


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 11) -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}"'
        f' fill="#24292f">{text}</text>'
    )
