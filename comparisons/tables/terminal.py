"""What all output on the terminal shares: its width, tables without lines, the exit status of many rows."""

import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reference.errors import printable

LINE = 98  # characters of text, on every terminal: README.md shows the same lines
LEAST_WIDTH = 200  # of a table: a narrower terminal wraps its lines, but no number is cut off


def as_it_is(text: str | Text) -> Text:
    """The text without colours, its control characters escaped: a name from a file steers no terminal."""
    return Text("\n".join(map(printable, str(text).split("\n"))))


def console() -> Console:
    """The terminal, or the file to which the output goes."""
    found = Console(highlighter=as_it_is, markup=False, emoji=False)
    found.width = max(found.width, LEAST_WIDTH)
    return found


def new_table(left: Iterable[str], right: Iterable[str]) -> Table:
    """A table without lines, from its headers: the columns of text first, then those of numbers, aligned right."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="bold", highlight=True)
    for header in left:  # highlight: through `as_it_is`
        table.add_column(header, no_wrap=True, vertical="bottom")
    for header in right:
        table.add_column(header, justify="right", vertical="bottom")
    return table


def wrapped(text: str) -> str:
    """The text in lines of at most LINE characters."""
    return textwrap.fill(text, LINE)


def worst(exit_statuses: Sequence[int]) -> int:
    """1 if anything differs, else 3 if nothing was compared somewhere, else 0."""
    return next((status for status in (1, 3) if status in exit_statuses), 0)
