"""Files of users that are read."""

import pytest

from comparisons.runs.files import read_toml
from reference.errors import InputError


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"a = ", "is no TOML"), (b"\xff", "is no TOML")],
    ids=["missing", "no TOML", "no UTF-8"],
)
def test_toml_that_cannot_be_read(tmp_path, content, message):
    """One line with the path."""
    if content is not None:
        (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.toml: {message}") as refused:
        read_toml(tmp_path / "a.toml")

    assert "\n" not in str(refused.value)
