"""The command line: which commands there are. Each is a file of comparisons/commands, loaded when it is asked for."""

import sys
from importlib import import_module, metadata
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from reference.errors import InputError

HELP = "Do two training codes agree? Exit status: 0 equal, 1 different, 2 bad input, 3 nothing was compared."

COMMANDS = {
    "article": "Does the code reproduce the article, in both frameworks, bit for bit?",
    "parity": "Does an experiment give equal weights? Options that are given several times make a matrix.",
    "styles": "What does every style do to a network: accuracy, Σ|w|, exact zeros?",
    "differences": "What does each implementation difference do to the article's network?",
    "lamda": "Which λ makes one style train as another does?",
    "compare": "Are two recorded runs the same, and if not, why?",
    "diagnose": "Is a recorded run the experiment that it should be, and if not, why?",
    "report": "Everything on one page for a browser: results, formulas, figures, translations of λ.",
}


class Commands(TyperGroup):
    """The rows of COMMANDS. The list of commands loads none of them, and `compare` does not wait for torch."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, name and command and load(name), rest


def load(name: str) -> Any:
    """The command of that name: the function of that name in the module of that name."""
    program = typer.Typer(add_completion=False)
    program.command(name, help=COMMANDS[name])(getattr(import_module(f"comparisons.commands.{name}"), name))
    return typer.main.get_command(program)


app = typer.Typer(cls=Commands, add_completion=False, no_args_is_help=True, rich_markup_mode="rich", help=HELP)


def print_version(asked: bool) -> None:
    """--version: name and version, and nothing else is done."""
    if asked:
        print("l1-parity", metadata.version("l1-parity"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The options that stand before a command."""


def main(name: str = "python -m comparisons") -> int:
    """Run a command; bad input is one line on stderr and exit status 2. name: what the help calls the program."""
    try:
        return app(standalone_mode=False, prog_name=name) or 0
    except (InputError, metadata.PackageNotFoundError, typer.TyperException) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        if message:  # empty where the help was printed, because there was no command
            print(f"error: {message}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
