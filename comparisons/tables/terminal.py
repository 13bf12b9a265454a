"""What all pages on the terminal share: its width, tables without lines, the verdict over many rows."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

LINE = 98  # of text, on every terminal: README.md shows it so
LEAST_WIDTH = 200  # for a table: a narrower terminal breaks its lines, but no figure is cut off


def console() -> Console:
    """The terminal, or what stands for it."""
    found = Console(highlight=False)
    found.width = max(found.width, LEAST_WIDTH)
    return found


def new_table() -> Table:
    """Columns without lines, and no blanks at the ends of rows."""
    return Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="bold")


def worst(exit_statuses: Sequence[int]) -> int:
    """1 if anything differs, else 3 if nothing was compared somewhere, else 0."""
    return next((status for status in (1, 3) if status in exit_statuses), 0)
