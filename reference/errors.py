"""What is said where something that a person gave cannot be used."""


class InputError(ValueError):
    """Something that a person gave cannot be used; the message says what, where, and what is allowed."""
