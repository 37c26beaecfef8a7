import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Invalid
from gateway.restores.domain import Wish, check_consistent, check_path, check_target

ESCAPES = ["", "/", "/etc", "..", "a/../b", "./a", "a//b", "a/", "a\0b"]


@pytest.mark.parametrize("path", [*ESCAPES, "x" * 256, "a/" * 3000 + "a"])
def test_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    """Otherwise a restore writes where it should not."""
    with pytest.raises(ValueError, match="must"):
        check_path(path)


@pytest.mark.parametrize(
    "path", ["a", "etc/app.toml", "...", "zażółć/文件/😀", "a b", "-rf", "a\nb", "👩\u200d👧"]
)
def test_an_ordinary_path_passes(path: str) -> None:
    """Otherwise a file with an ordinary name cannot be restored by itself."""
    assert check_path(path) == path


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_passes_stays_below_its_folder(path: str) -> None:
    """Otherwise a restore writes where it should not."""
    try:
        check_path(path)
    except ValueError:
        return
    assert not path.startswith("/")
    assert ".." not in path.split("/")


@pytest.mark.parametrize("path", [*ESCAPES, "a\nb", "a\\b", "a\x7f"])
def test_a_target_gets_an_ordinary_name(path: str) -> None:
    """Otherwise an operator cannot find or remove the folder by hand."""
    with pytest.raises(ValueError, match="must"):
        check_target(path)


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
