"""Chosen paths: what they mean, and whether they are there."""

from common.components.names import ChosenPaths


def test_a_path_means_all_that_is_in_it() -> None:
    """A chosen folder that comes back empty is no restore."""
    select = ChosenPaths(["/srv/app/", "etc/hosts"])
    paths = [b"", b"srv", b"srv/app", b"srv/app/x/y", b"srv/apple", b"etc/host", b"etc/hosts"]
    assert [path for path in paths if select(path)] == [b"srv/app", b"srv/app/x/y", b"etc/hosts"]
    assert select.met == {"/srv/app/", "etc/hosts"}


def test_a_path_may_be_written_as_a_shell_completes_it() -> None:
    """Lost: what was asked for, because of a dot or a slash too many."""
    for text in ("./srv/app", "/srv//app", "srv/./app/.", "%2E/srv/app"):
        assert ChosenPaths([text])(b"srv/app/x"), text
    for text in ("srv/../srv/app", "srv/.app", "srv/app."):
        assert not ChosenPaths([text])(b"srv/app/x"), text
    assert ChosenPaths(["."])(b"any/thing")


def test_a_path_that_is_not_there_is_noticed() -> None:
    """Silence would read as: it is restored."""
    select = ChosenPaths(["gone", "here"])
    select(b"here/x")
    assert select.met == {"here"}


def test_the_root_means_everything() -> None:
    assert ChosenPaths(["/"])(b"any/thing")


def test_a_name_that_is_not_text_can_be_chosen() -> None:
    """Odd names are as good as any other when they hold the data."""
    for text in ("odd/%FF%0A", "odd/\udcff\n"):
        assert ChosenPaths([text])(b"odd/\xff\n")


def test_a_path_that_is_given_twice_is_there_twice() -> None:
    """A warning of what is not missing hides the next one."""
    select = ChosenPaths(["/here", "here/", "%41"])
    assert select(b"here/x")
    assert select(b"A")
    assert select.met == {"/here", "here/", "%41"}
