import pytest

from common.errors import Conflict, Error, Permanent, of_code


@pytest.mark.parametrize("cls", [Error, Permanent, Conflict])
def test_an_error_keeps_its_class_on_the_way(cls: type[Error]) -> None:
    """Its class says whether it is tried again, and with which exit code the command ends."""
    error = of_code(cls.code, "what", "do this")
    assert type(error) is cls
    assert (error.message, error.remedy) == ("what", "do this")


def test_an_unknown_code_is_kept() -> None:
    """A newer service's error must not turn into an internal one."""
    error = of_code("brand_new", "what")
    assert type(error) is Error
    assert error.code == "brand_new"
    assert Error.code == "internal_error"


class Waits(Permanent):
    """Wait a while."""

    code = "waits"

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


def test_a_class_that_wants_to_know_more_is_not_made_up() -> None:
    """Lost: what the other process told, behind an error about the error."""
    error = of_code(Waits.code, "what", "do this")
    assert (type(error), error.code, error.remedy) == (Error, "waits", "do this")
