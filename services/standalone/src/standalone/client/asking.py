"""Secrets from whoever sits at the terminal, or from a file or a variable: never an argument."""

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from common.errors import Invalid

PASSWORD = "STRONGROOM_PASSWORD"  # noqa: S105 - the name of a variable
NEW_PASSWORD = "STRONGROOM_NEW_PASSWORD"  # noqa: S105 - the name of a variable

PasswordFile = Annotated[
    Path | None, typer.Option(help="File that holds the password.", show_default=False)
]


def possible() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


def password(
    prompt: str,
    file: Path | None,
    variable: str = PASSWORD,
    *,
    option: str = "--password-file",
    twice: bool = False,
) -> str:
    """A password: from ``file``, from the environment's ``variable``, else asked for.

    Raises:
        Invalid: the file cannot be read, there is nobody to ask, or the two are not the same.
    """
    if file is not None:
        return _content(file)
    if value := os.environ.get(variable):
        return value
    if not possible():
        raise Invalid(
            "There is no terminal to ask for the password.",
            remedy=f"Name a file with {option}, or set {variable}.",
        )
    given = getpass.getpass(f"{prompt}: ")
    if twice and getpass.getpass("The same again: ") != given:
        raise Invalid("The two are not the same.")
    return given


def factor(prompt: str = "Code of the authenticator, or recovery code") -> dict[str, str]:
    """A second factor, as the API takes it.

    Raises:
        Invalid: there is nobody to ask.
    """
    if not possible():
        raise Invalid(
            "This needs a second factor, and there is no terminal to ask for it.",
            remedy="Make an API key for programs, and set STRONGROOM_TOKEN to it.",
        )
    code = getpass.getpass(f"{prompt}: ").strip()
    return {"code" if code.replace(" ", "").isdigit() else "recovery_code": code}


def _content(file: Path) -> str:
    try:
        return file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Invalid(f"{file} cannot be read: {reason}.") from error
