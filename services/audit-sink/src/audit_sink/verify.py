"""`python -m audit_sink.verify`: is the audit log whole, in the table and in the file?

Exit code 0: every entry is there and unchanged; 7: it is not, and the output says where; others as
in ``common.errors``.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from audit_sink import store
from audit_sink.domain import Finding, canonical
from audit_sink.settings import AuditSettings
from common.db import Pool, connect
from common.db.pool import close
from common.errors import Corrupt, Error
from common.service.environment import load

_BATCH = 1000


def lines_of(path: Path) -> Iterator[tuple[int, str, str]]:
    """Place, entry in canonical form and hash of each line; place 0 for one that is unreadable."""
    with path.open("rb") as file:
        for raw in file:
            try:
                entry = json.loads(raw)
                hash_ = str(entry.pop("hash"))
                yield int(entry["seq"]), canonical(entry), hash_
            except (ValueError, KeyError, TypeError, AttributeError):
                yield 0, "", ""


async def compare(pool: Pool, path: Path) -> list[Finding]:
    """How the file differs from the table; what was rotated away is not looked for."""
    findings: list[Finding] = []
    lines = lines_of(path)
    previous: int | None = None
    while batch := list(islice(lines, _BATCH)):
        stored = await store.hashes(pool, [seq for seq, _, _ in batch])
        for seq, entry, hash_ in batch:
            if previous is not None and seq != previous + 1:
                findings.append(Finding(seq, f"In the file it follows {previous}."))
            if stored.get(seq) != (entry, hash_):
                findings.append(Finding(seq, "The line in the file is not the table's entry."))
            previous = seq
    return findings


async def verify(settings: AuditSettings) -> tuple[str, list[Finding]]:
    """What was looked at, as a sentence, and what is wrong with it."""
    path = settings.security_audit_log_path
    url = settings.database_url
    pool = await connect(url, name="audit-sink verify", schema="audit_sink", size=2)
    try:
        head, findings = await store.verify(pool)
        seen = f"{head.seq} entries in the table, the last with hash {head.hash}"
        if settings.security_audit_log_enabled and path.exists():
            findings += await compare(pool, path)
            seen += f"; compared with {path}"
    finally:
        await close(pool)
    return f"{seen}.", findings


def main() -> int:
    """Verify, say what was found, and return the exit code."""
    try:
        seen, findings = asyncio.run(verify(load(AuditSettings)))
    except Error as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    lines = [seen, *(f"{finding.seq}: {finding.problem}" for finding in findings)]
    lines.append(f"Findings: {len(findings)}. It is NOT whole." if findings else "It is whole.")
    sys.stdout.write("\n".join(lines) + "\n")
    return Corrupt.exit_code if findings else 0


if __name__ == "__main__":
    sys.exit(main())
