"""Files of users that are read."""

from pathlib import Path

import pytest

from comparisons.runs.files import read_toml
from reference.errors import InputError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"a = ", "is no TOML"),
        (b"\xff", "is no TOML"),
        (b"a = 0x" + b"F" * 5000, "has a whole number of more than 300 digits"),
        (b"[[b.c]]\na = [1, [0x" + b"F" * 5000 + b"]]", "has a whole number of more than 300 digits"),
    ],
    ids=["missing", "no TOML", "no UTF-8", "5,000 digits", "5,000 digits in a list"],
)
def test_toml_that_cannot_be_read(tmp_path, content, message):
    """One line with the path."""
    if content is not None:
        (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.toml: {message}") as refused:
        read_toml(tmp_path / "a.toml")

    assert "\n" not in str(refused.value)


def test_a_file_that_is_larger_than_it_says():
    """As those of /proc, whose size is 0: it is not taken for an empty one."""
    with pytest.raises(InputError, match="/proc/self/status: has another size than it says"):
        read_toml(Path("/proc/self/status"))
