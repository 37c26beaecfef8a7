"""The commands, a module for each; every one has its ``app``."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.main import get_command
from typer.models import CommandFunctionType, TyperPath


class _Command(TyperCommand):
    """Refuses what is empty where something is named: as a path it is the current folder, and a
    script whose variable is not set does not mean that.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        left = super().parse_args(ctx, args)
        for param in self.params:
            if isinstance(param, TyperArgument) or isinstance(param.type, TyperPath):
                value = ctx.params[param.name]
                values = value if isinstance(value, list | tuple) else [value]
                if value != param.default and "" in values:
                    raise typer.BadParameter("It is empty.", ctx, param)
        return left


class _App(typer.Typer):
    def command(
        self, name: str | None = None, **options: Any
    ) -> Callable[[CommandFunctionType], CommandFunctionType]:
        return super().command(name, cls=_Command, **options)


def new_app(description: str | None = None, group: type[TyperGroup] | None = None) -> typer.Typer:
    """An application for one command, or with a description for a group of them."""
    return _App(
        cls=group,
        help=description,
        no_args_is_help=description is not None,
        add_completion=False,
        rich_markup_mode="markdown",
    )


def called(modules: Mapping[str, str], package: str = __name__) -> type[TyperGroup]:
    """A group with further commands, each imported when it is called: from which module of a
    package.

    Each needs other, heavy packages, and a short command shall not wait for those of others.
    """

    class Group(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return [*super().list_commands(ctx), *modules]

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name not in modules:
                return super().get_command(ctx, cmd_name)
            module = import_module(f"{package}.{modules[cmd_name]}")
            command: Any = get_command(module.app)
            if isinstance(command, TyperGroup):
                command = command.commands.get(cmd_name, command)
            command.name = cmd_name
            return command

    return Group
