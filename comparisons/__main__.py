"""Do two training codes agree? Exit status: 0 equal, 1 different, 2 bad input, 3 nothing was compared."""

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from reference.errors import InputError

COMMANDS = ("article", "parity", "styles", "differences", "lamda", "compare", "diagnose", "report")


class Commands(TyperGroup):
    """The functions of comparisons/commands, each loaded when it is asked for: `compare` does not wait for torch."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"comparisons.commands.{cmd_name}")
        program = typer.Typer(add_completion=False)
        program.command(cmd_name)(getattr(module, cmd_name))
        return typer.main.get_command(program)


app = typer.Typer(cls=Commands, add_completion=False, no_args_is_help=True, rich_markup_mode="rich", help=__doc__)


@app.callback()
def commands() -> None:
    """All that there is is a command."""


def main() -> int:
    """Run a command; bad input is one line on stderr and exit status 2."""
    try:
        return app(standalone_mode=False, prog_name="python -m comparisons") or 0
    except (InputError, typer.TyperException) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        if message:  # empty where the help was printed, because there was no command
            print(f"error: {message}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
