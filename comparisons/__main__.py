"""The command line: which commands there are, and how the program ends. A command is loaded when it is asked for.

Exit status 1 means "different" and nothing else. Any error is 2 and one line, Ctrl-C is 130 and none, and a closed
pipe, as of `… | head -1`, is 141.
"""

import atexit
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Annotated, Any, TextIO

from reference.errors import InputError, printable

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


# --- commands ---------------------------------------------------------------------------------------------------------


def load(name: str) -> Any:
    """The command of that name: the function of that name in the module of that name."""
    import typer

    program = typer.Typer(add_completion=False)
    with ended_by_interrupt():
        module = import_module(f"comparisons.commands.{name}")
    program.command(name, help=COMMANDS[name])(getattr(module, name))
    return typer.main.get_command(program)


def program() -> Any:
    """The rows of COMMANDS. The list of commands loads none of them, and `compare` does not wait for torch."""
    import typer
    from typer.core import TyperCommand, TyperGroup

    class Commands(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return list(COMMANDS)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name]) if cmd_name in COMMANDS else None

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            name, command, rest = super().resolve_command(ctx, args)
            return name, name and command and load(name), rest

    def print_version(asked: bool) -> None:
        if asked:
            print("l1-parity", version_of("l1-parity"))
            raise typer.Exit

    app = typer.Typer(cls=Commands, add_completion=False, no_args_is_help=True, rich_markup_mode="rich", help=HELP)
    shown = typer.Option("--version", callback=print_version, is_eager=True, help="Show the version and exit.")

    @app.callback()
    def options(version: Annotated[bool, shown] = False) -> None:
        """The options that stand before a command."""

    return typer.main.get_command(app)


def version_of(package: str) -> str:
    """The version that is installed. Raises InputError where the package is found, but not installed."""
    from importlib import metadata  # the start of every other command need not wait for it

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise InputError(str(error)) from error


def run(name: str) -> int:
    """Run the command of the command line: its exit status. Raises what a command raises."""
    with ended_by_interrupt():
        import typer

        group = program()
    try:
        with group.make_context(name, sys.argv[1:]) as context:
            return group.invoke(context) or 0
    except typer.Exit as ended:
        return ended.exit_code
    except typer.TyperException as error:
        raise InputError(error.format_message()) from error


# --- how it ends ------------------------------------------------------------------------------------------------------


def main(name: str = "python -m comparisons") -> int:
    """Run a command, whatever happens: its exit status, with one line on stderr for any error.

    name: what the help calls the program.
    """
    atexit.unregister(ignore_interrupts)
    atexit.register(ignore_interrupts)  # nothing is left to be interrupted, and the exit status is known
    status, message = 2, ""
    try:
        prepare_streams()
        status = run(name)
    except KeyboardInterrupt:
        status = 130
    except InputError as error:
        message = str(error)  # empty where the help was printed, because there was no command
    except (Exception, SystemExit) as error:  # status 1, Python's own for any error, would say that runs differ
        status, message = (141, "") if closed_pipe(error) else (2, words(error))
    return end(status, message)


@contextmanager
def ended_by_interrupt() -> Iterator[None]:
    """While modules are imported, Ctrl-C ends the process at once: raised inside a C library, it could be lost."""
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield  # interrupts are ignored, as under nohup, or somebody else's
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def ignore_interrupts() -> None:
    """Leave Ctrl-C to nobody."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def prepare_streams() -> None:
    r"""Show what an encoding does not have as \u03bb. Raises InputError without stdout, or a current folder."""
    if None in (sys.stdin, sys.stdout, sys.stderr):  # or the next file that is opened would take their number
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(number, True)
        os.close(number)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        raise InputError("stdout is closed: nothing can be printed; > /dev/null where nobody is to read it")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
            try:
                "λ".encode(stream.encoding, "backslashreplace")
            except UnicodeError:  # of the few encodings that cannot do without (idna)
                stream.reconfigure(encoding="utf-8")
    try:
        os.getcwd()
    except OSError as error:  # torch would end the program
        raise InputError(f"the current folder cannot be used ({error.strerror})") from error


def end(status: int, message: str) -> int:
    """Print what is left, and the message: the exit status, which is another one where stdout cannot be written."""
    if fault := flushed(sys.stdout):
        closed = fault.errno == errno.EPIPE
        status, message = (141, "") if closed else (2, f"stdout cannot be written ({fault.strerror})")
    if message:
        with suppress(OSError, ValueError):
            print(f"error: {printable(' '.join(message.split()))}", file=sys.stderr)
    flushed(sys.stderr)
    return status


def flushed(stream: TextIO | None) -> OSError | None:
    """Write out what was printed. After an error nothing more is written: Python would try again, and end with 120."""
    if stream is None:
        return None
    try:
        stream.flush()
    except OSError as error:
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        return error
    return None


def closed_pipe(error: BaseException) -> bool:
    """Is it that nobody reads stdout or stderr any more? The workers have pipes, too."""
    if isinstance(error, SystemExit):  # rich turns the one into the other
        return isinstance(error.__context__, BrokenPipeError)
    if not isinstance(error, BrokenPipeError):
        return False
    import select

    ends = select.poll()
    for number in (1, 2):
        ends.register(number, 0)
    return any(event & select.POLLERR for _, event in ends.poll(0))


def words(error: BaseException) -> str:
    """What the operating system says, and of which file. Of any other error its type, and the line that raised it."""
    if isinstance(error, OSError) and error.strerror:
        full = error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
        return f"{error.filename or ('the output' if full else 'the system')}: {error.strerror}"
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = trace and f" (in {trace.tb_frame.f_globals.get('__name__')}, line {trace.tb_lineno})"
    return f"{type(error).__name__}: {error}{where or ''}"


if __name__ == "__main__":
    sys.exit(main())
