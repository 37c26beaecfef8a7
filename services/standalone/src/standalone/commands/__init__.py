"""The commands, a module for each; every one has its ``app``."""

import typer


def new_app(description: str | None = None) -> typer.Typer:
    """An application for one command, or with a description for a group of them."""
    return typer.Typer(
        help=description,
        no_args_is_help=description is not None,
        add_completion=False,
        rich_markup_mode="markdown",
    )
