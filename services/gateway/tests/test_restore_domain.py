import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Invalid
from gateway.restores.domain import LONGEST_PATH, Wish, check_consistent, check_path

IMPOSSIBLE = ["", "/", "..", "a/../b", "./a", "a//b", "a\0b", "x" * (LONGEST_PATH + 1)]
ORDINARY = ["a", "/etc/app.toml", "a/", "...", "zażółć/文件/😀", "a b", "-rf", "a\nb", "👩\u200d👧"]


@pytest.mark.parametrize("path", IMPOSSIBLE)
def test_a_path_that_nothing_can_have_is_refused(path: str) -> None:
    """Otherwise a typing error becomes a restore that fails an hour later."""
    with pytest.raises(ValueError, match="must"):
        check_path(path)


@pytest.mark.parametrize("path", ORDINARY)
def test_an_ordinary_path_passes(path: str) -> None:
    """Otherwise a file with an ordinary name cannot be restored by itself."""
    assert check_path(path) == path


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_passes_leads_nowhere_else(path: str) -> None:
    """Otherwise a path is taken for one that it is not."""
    try:
        check_path(path)
    except ValueError:
        return
    assert ".." not in path.split("/")


@pytest.mark.parametrize(
    "wish",
    [
        Wish(in_place=True, target="x"),
        Wish(in_place=True, databases={"database": "other"}),
        Wish(databases={"database": "postgres"}),
        Wish(components=("files",), databases={"database": "other"}),
    ],
)
def test_a_contradiction_is_refused(wish: Wish) -> None:
    """Otherwise one of two things that were asked for is silently not done."""
    with pytest.raises(Invalid):
        check_consistent(wish)


def test_a_consistent_wish_passes() -> None:
    """Otherwise a restore that could be done is refused."""
    check_consistent(Wish())
    check_consistent(Wish(in_place=True, components=("files",)))
    check_consistent(Wish(components=("database",), databases={"database": "other"}, target="x"))
