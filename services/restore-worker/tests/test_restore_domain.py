import pytest

from common.errors import Invalid, NotFound
from restore_worker.domain import FINDINGS_TOLD, check_name, choose, told


@pytest.mark.parametrize("name", ["drill", "2026-11-21 till_1.b", "a" * 200])
def test_plain_names_are_taken(name: str) -> None:
    assert check_name(name, "a target") == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "/etc", "../x", "a\0b", "a\nb", "a" * 201, "-rf"]
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    """A restore is asked for over HTTP: its target must never leave the restore root."""
    with pytest.raises(Invalid, match="a target"):
        check_name(name, "a target")


def test_components_come_in_the_order_of_the_snapshot() -> None:
    assert choose((), ["files", "database"]) == ["files", "database"]
    assert choose(("database", "files"), ["files", "database"]) == ["files", "database"]


def test_a_component_that_is_not_there_is_named() -> None:
    """A restore that leaves out what was asked for must not succeed."""
    with pytest.raises(NotFound, match=r"no component till\. It has: files"):
        choose(("till",), ["files"])


def test_many_findings_are_counted() -> None:
    """A ruined repository must still fit into one event."""
    shown = told([f"finding {n}" for n in range(FINDINGS_TOLD + 7)])
    assert len(shown) == FINDINGS_TOLD + 1
    assert shown[-1] == "… and 7 more."
