"""Fails when a source file has over 300 lines or a function over 40, and prints the median.

Usage: python .ci/lengths.py FILE...
"""

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LIMIT = 300
FUNCTION_LIMIT = 40


def functions(path: Path, source: str) -> Iterator[tuple[str, int]]:
    """Each function of a Python file as place and length in lines, its docstring not counted."""
    for node in ast.walk(ast.parse(source, str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node, clean=False) is not None:
                length -= (first.end_lineno or first.lineno) - first.lineno + 1
            yield f"{path}:{node.lineno} {node.name}", length


def main(names: list[str]) -> int:
    """Check the named files; the exit status is 1 when a limit is passed."""
    lengths, failures = [], []
    for path in map(Path, names):
        source = path.read_text()
        count = len(source.splitlines())
        lengths.append(count)
        if count > FILE_LIMIT:
            failures.append(f"{path}: {count} lines, at most {FILE_LIMIT}")
        if path.suffix == ".py":
            failures += [
                f"{place}: {length} lines, at most {FUNCTION_LIMIT}"
                for place, length in functions(path, source)
                if length > FUNCTION_LIMIT
            ]
    print("\n".join(failures), file=sys.stderr)  # noqa: T201 - the report of a check
    median = statistics.median(lengths) if lengths else 0
    print(f"{len(lengths)} files, median {median:.0f} lines, longest {max(lengths, default=0)}")  # noqa: T201 - as above
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
