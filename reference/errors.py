"""The error for input that cannot be used."""

from typing import Any


class InputError(ValueError):
    """An argument or a file cannot be used. The message says what is wrong, where, and what is allowed."""


def require(holds: Any, message: str) -> None:
    """Raise InputError with the message unless the condition holds."""
    if not holds:
        raise InputError(message)
