"""What was measured, as Markdown between the marks of a document; the prose around stays."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import bars, chart, limits
from bench.bars import Figure, Measured
from bench.compare import FIRST, LIMIT
from bench.peers import OURS

_MARKED = "<!-- measured: {0} -->\n{1}\n<!-- end: {0} -->"
_MB = 1_000_000


def renew(document: Path, results: dict[str, Any]) -> None:
    """Put all results into the document, and the chart beside it."""
    measured = [Measured(name, found) for name, found in results["sets"].items()]
    measured = sorted((each for each in measured if each.rounds), key=_place)
    parts = {}
    if measured:
        parts["machine"] = _machine(measured)
        parts["verdict"] = _verdict(measured)
        parts["sets"] = "\n".join(_set(each) for each in measured)
        parts["levels"] = "\n".join(_levels(each) for each in measured if _has_levels(each))
    if "primitives" in results:
        counted = results.get("instructions", {}).get("counted", {})
        parts["primitives"] = _primitives(results["primitives"], counted)
    if "responsiveness" in results:
        parts["responsiveness"] = _responsiveness(results["responsiveness"])
    text = document.read_text()
    for name, part in parts.items():
        text = marked(text, name, part)
    document.write_text(text)
    document.with_suffix(".svg").write_text(chart.draw(measured))


def marked(text: str, name: str, part: str) -> str:
    """``text`` with another part between the two marks of this name."""
    pattern = re.compile(rf"<!-- measured: {name} -->.*?<!-- end: {name} -->", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"The document has no marks for {name}.")
    return pattern.sub(lambda _: _MARKED.format(name, part.strip()), text)


def _place(measured: Measured) -> tuple[int, str]:
    order = ("mixed", "dump", "tiny-200k", "tiny-1m", "sparse")
    return order.index(measured.name) if measured.name in order else len(order), measured.name


def _machine(measured: list[Measured]) -> str:
    machines = sorted({each.machine for each in measured})
    versions = sorted({version for each in measured for version in each.versions})
    return f"Measured on: {'; '.join(machines)}.\n\nPrograms: {', '.join(versions)}."


def _verdict(measured: list[Measured]) -> str:
    sentences = [f"- {sentence}" for each in measured for sentence in bars.missed(each)]
    phases = sum(len(each.phases) for each in measured)
    if not sentences:
        return f"Every bar is reached, in all {phases} phases."
    return "\n".join([f"Of {phases} phases, these miss a bar:", "", *sentences])


def _set(measured: Measured) -> str:
    data = measured.data
    head = f"### {measured.name}: {data['files']:,} files, {data['bytes'] / 1e9:.2f} GB"
    told = (
        f"{_rounds(measured.rounds)}; {measured.date}, {measured.machine.partition(',')[0]}."
        " Nine of ten commands ran while the rest of the machine used less than"
        f" {measured.disturbance():.2f} of a processor."
    )
    return "\n".join([head, "", told, "", *tables(measured), ""])


def tables(measured: Measured) -> Iterator[str]:
    """The lines of what was measured of a data set."""
    yield from [*_walls(measured), "", *_resources(measured), "", *_foot(measured)]


def _rounds(count: int) -> str:
    return f"Medians of {count} rounds, the least and the most" if count > 1 else "One round"


def _walls(measured: Measured) -> Iterator[str]:
    names = [OURS, *measured.peers]
    head = ["wall time", *names, "to the faster peer", "bar", *(f"to {x}" for x in measured.others)]
    yield _row(head)
    yield _row(["---"] * len(head))
    for phase in measured.phases:
        walls = [_spread(measured.figure(phase, name, "wall")) for name in names]
        ratio, bar = measured.wall_ratio(phase), bars.wall_bar(measured.name, phase)
        others = [f"{measured.wall_ratio_to(name, phase):.2f}" for name in measured.others]
        yield _row([phase, *walls, _ratio(ratio, bar), f"{bar:.2f}", *others])


def _resources(measured: Measured) -> Iterator[str]:
    names = [OURS, *measured.peers]
    head = [f"{name} CPU s" for name in names] + ["to restic's"] + [f"{x} MB" for x in names]
    yield _row(["CPU and memory", *head])
    yield _row(["---"] * (len(head) + 1))
    bar = bars.memory_bar(measured.name)
    for phase in measured.phases:
        cpu = [f"{measured.figure(phase, name, 'cpu').median:.2f}" for name in names]
        peaks = [measured.figure(phase, name, "memory").median for name in names]
        ours = f"{peaks[0]:.0f}" if peaks[0] <= bar else f"**{peaks[0]:.0f}**"
        memory = [ours, *(f"{peak:.0f}" for peak in peaks[1:])]
        yield _row([phase, *cpu, _ratio(measured.cpu_ratio(phase), bars.CPU), *memory])


def _foot(measured: Measured) -> Iterator[str]:
    names = [OURS, *measured.peers]
    sizes = ", ".join(f"{name} {measured.size(name) / _MB:.1f} MB" for name in names)
    ratio = measured.size_ratio()
    told = f"; ours to the smaller peer's: {_ratio(ratio, bars.SIZE, 3)}" if ratio else ""
    yield f"Repository after the unchanged backup: {sizes}{told}."
    yield ""
    found = measured.programs(LIMIT)
    times = [f"{name}: {_spread(measured.figure(LIMIT, name, 'wall'))}" for name in found]
    if limits.PIPE in found:
        ours = measured.figure(FIRST, OURS, "wall").median
        share = ours / measured.figure(LIMIT, limits.PIPE, "wall").median
        times.append(f"our first backup takes {share:.2f} of the pipe's time")
    yield f"The limit: {'; '.join(times)}."


def _has_levels(measured: Measured) -> bool:
    return len(measured.programs(FIRST)) > len(measured.peers) + 1


def _levels(measured: Measured) -> str:
    names = [OURS, *(x for x in measured.programs(FIRST) if x.startswith(f"{OURS},"))]
    head = ["first backup", "wall", "CPU s", "repository MB", "size to zstd 3"]
    lines = [_row([f"{measured.name}, {head[0]}", *head[1:]]), _row(["---"] * len(head))]
    for name in names:
        size = measured.size(name)
        lines.append(
            _row(
                [
                    "zstd 3 (as it comes)" if name == OURS else name.partition(", ")[2],
                    _spread(measured.figure(FIRST, name, "wall")),
                    f"{measured.figure(FIRST, name, 'cpu').median:.2f}",
                    f"{size / _MB:.1f}",
                    f"{size / measured.size(OURS):.3f}",
                ]
            )
        )
    return "\n".join(lines)


def _primitives(found: dict[str, Any], counted: dict[str, str]) -> str:
    columns = ["primitive", "speed", "spread", "instructions"]
    lines = [f"{found['measured']}; {found['machine']}.", "", _row(columns)]
    lines.append(_row(["---"] * len(columns)))
    for row in found["rows"]:
        cells = [row["name"], row["speed"], row["spread"], counted.get(row["name"], "")]
        lines.append(_row(cells))
    return "\n".join(lines)


def _responsiveness(found: dict[str, Any]) -> str:
    head = ["while", "requests", "median", "p99", "slowest", "bar for p99"]
    lines = [f"{found['measured']}; {found['machine']}.", "", _row(head)]
    lines.append(_row(["---"] * len(head)))
    for row in found["rows"]:
        p99 = f"{row['p99']:.1f} ms"
        met = row["p99"] < found["bar"]
        times = [f"{row['median']:.1f} ms", p99 if met else f"**{p99}**", f"{row['most']:.1f} ms"]
        lines.append(_row([row["name"], str(row["requests"]), *times, f"{found['bar']:.0f} ms"]))
    return "\n".join(lines)


def _ratio(ratio: float | None, bar: float, digits: int = 2) -> str:
    """Bold where the bar is missed."""
    if ratio is None:
        return "-"
    text = f"{ratio:.{digits}f}"
    return text if ratio <= bar else f"**{text}**"


def _spread(figure: Figure) -> str:
    if figure.least == figure.most:
        return f"{figure.median:.2f} s"
    return f"{figure.median:.2f} s ({figure.least:.2f}-{figure.most:.2f})"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
