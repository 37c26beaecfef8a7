from restore_worker.selection import Selection


def test_a_path_means_all_that_is_in_it() -> None:
    """A chosen folder that comes back empty is no restore."""
    select = Selection(["/srv/app/", "etc/hosts"])
    paths = [b"", b"srv", b"srv/app", b"srv/app/x/y", b"srv/apple", b"etc/host", b"etc/hosts"]
    assert [path for path in paths if select(path)] == [b"srv/app", b"srv/app/x/y", b"etc/hosts"]
    assert select.met == {"/srv/app/", "etc/hosts"}


def test_a_path_that_is_not_there_is_noticed() -> None:
    """Silence would read as: it is restored."""
    select = Selection(["gone", "here"])
    select(b"here/x")
    assert select.met == {"here"}


def test_the_root_means_everything() -> None:
    assert Selection(["/"])(b"any/thing")


def test_a_name_that_is_not_text_can_be_chosen() -> None:
    """Odd names are as good as any other when they hold the data."""
    assert Selection(["odd/%FF%0A"])(b"odd/\xff\n")
