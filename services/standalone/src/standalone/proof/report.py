"""The proof as a table."""

from typing import Any

from standalone import console, text
from standalone.proof.demonstration import Proof
from standalone.proof.findings import Comparison


def show(proof: Proof) -> None:
    """What was kept, how large it is, how long it took, and what proves it."""
    result = proof.journey.backup["result"]
    console.table(
        ["component", "kind", ">entries", ">size", "proof"],
        [
            [
                part["name"],
                part["kind"],
                part["entries"],
                text.size(part["size_bytes"]),
                _said(proof.comparisons[part["name"]]),
            ]
            for part in result["components"]
        ],
    )
    console.line()
    console.table(["step", ">time", "outcome"], _steps(proof, result))
    console.line()
    for warning in result["warnings"]:
        console.warn(warning)


def _said(comparison: Comparison) -> str:
    unreadable = f"{comparison.unreadable} not readable" if comparison.unreadable else ""
    said = [f"identical: {comparison.compared}", comparison.since, unreadable]
    return "; ".join(each for each in said if each)


def _steps(proof: Proof, result: dict[str, Any]) -> list[list[object]]:
    verified = proof.journey.verification["result"]
    restored = proof.journey.restore["result"]
    sealed = "encrypted" if result["encrypted"] else "NOT ENCRYPTED"
    kept = f"{text.size(result['size_bytes'])} read, {text.size(result['stored_bytes'])} stored"
    steps: list[list[object]] = [
        [
            "back up",
            text.duration(result["duration_seconds"]),
            f"{kept}, {sealed}",
        ],
        [
            "verify",
            text.duration(verified["duration_seconds"]),
            f"every byte of {text.count(verified['objects'], 'object')} read and unsealed",
        ],
        [
            "restore",
            text.duration(restored["duration_seconds"]),
            f"{proof.restored_to}, and a new database",
        ],
    ]
    for copy in proof.journey.listed["copies"]:
        done = copy["state"] == "completed"
        words = f"proven there, {text.size(copy['size_bytes'])}" if done else "not there yet"
        steps.append(["copy", "", f"{copy['destination']}: {words}"])
    return steps
