"""What was measured, as Markdown: medians, spread, and the ratio to the faster peer."""

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_OURS = "strongroom"
_MB = 1_000_000


def markdown(summaries: list[dict[str, Any]], versions: list[str], rounds: int) -> str:
    """One table for each data set; a ratio below 1 means that Strongroom needs less."""
    parts = [f"Medians of {rounds} interleaved rounds. " + "; ".join(versions) + ".\n"]
    parts += [_table(summary) for summary in summaries]
    return "\n".join(parts)


def _table(summary: dict[str, Any]) -> str:
    names = list(summary["sizes"])
    peers = [name for name in names if name != _OURS]
    head = [
        "phase",
        *[f"{n} s" for n in names],
        "wall ratio",
        "CPU ratio",
        *[f"{n} MB" for n in names],
    ]
    lines = [f"### {summary['set']}", "", _row(head), _row(["---"] * len(head))]
    for phase, costs in summary["phases"].items():
        walls = [
            f"{costs[n]['wall']:.2f} ({costs[n]['wall_min']:.2f}-{costs[n]['wall_max']:.2f})"
            for n in names
        ]
        memory = [f"{costs[n]['memory']:.0f}" for n in names]
        lines.append(
            _row(
                [phase, *walls, _ratio(costs, peers, "wall"), _ratio(costs, peers, "cpu"), *memory]
            )
        )
    sizes = summary["sizes"]
    smallest = min((sizes[n] for n in peers), default=0)
    ratio = f", ratio to the smaller peer {sizes[_OURS] / smallest:.3f}" if smallest else ""
    kept = ", ".join(f"{n} {sizes[n] / _MB:.0f} MB" for n in names)
    return "\n".join([*lines, "", f"Repository after the unchanged backup: {kept}{ratio}.", ""])


def _ratio(costs: dict[str, Any], peers: list[str], key: str) -> str:
    best = min((costs[n][key] for n in peers), default=0)
    return f"{costs[_OURS][key] / best:.2f}" if best else "-"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def renew(path: Path, text: str) -> None:
    """Replace what stands between the two marks in ``path``; the prose around it stays."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
