"""The error for input that cannot be used, and text for people."""

from typing import Any

MOST_CHARACTERS = 4_000  # of a message: a file can name 10,000 things that are wrong


def printable(text: str) -> str:
    r"""The text in one line, for a terminal: \x1b in place of a control character, a line break or a lone surrogate."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class InputError(ValueError):
    """An argument or a file cannot be used. The message, one line, says what is wrong, where, and what is allowed."""

    def __init__(self, message: str) -> None:
        text = printable(message)
        super().__init__(text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …")


def require(holds: Any, message: str) -> None:
    """Raise InputError with the message unless the condition holds."""
    if not holds:
        raise InputError(message)
