"""Files of users: what may be written where, and what is left as it is."""

import json

import pytest

from comparisons.runs.files import check_folder, finite, json_with, read_toml, refuse_to_overwrite, write_json
from reference.errors import InputError

OURS = json_with("rows")


def test_a_new_file_an_empty_one_and_one_of_ours_may_be_written(tmp_path):
    """Without a word."""
    (tmp_path / "empty.json").touch()
    (tmp_path / "ours.json").write_text('{"rows": []}')
    for name in ("new.json", "empty.json", "ours.json"):
        refuse_to_overwrite(tmp_path / name, OURS, "result of this command")


@pytest.mark.parametrize("content", ["notes", "[1]", "7", '{"styles": []}'], ids=["text", "list", "number", "other"])
def test_a_file_of_the_user_is_left_as_it_is(tmp_path, content):
    """Twin: whatever is not ours."""
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(
        InputError, match=r"a\.json: the file exists and is no result of this command; it is left as it"
    ):
        refuse_to_overwrite(tmp_path / "a.json", OURS, "result of this command")


@pytest.mark.parametrize("content", ["", '{"rows": []}'], ids=["empty", "not empty"])
def test_where_nothing_is_ours_every_file_is_left_as_it_is(tmp_path, content):
    """An empty one, too."""
    (tmp_path / "a.npz").write_text(content)
    with pytest.raises(InputError, match=r"a\.npz: the file exists; it is left as it is$"):
        refuse_to_overwrite(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("check", "name", "message"),
    [
        (refuse_to_overwrite, "none/a.json", r"none/a\.json: there is no folder \S+none$"),
        (refuse_to_overwrite, "folder", "folder: is a folder$"),
        (check_folder, "none/folder", r"none/folder: there is no folder \S+none$"),
        (check_folder, "file", "file: is no folder$"),
    ],
    ids=["file in no folder", "file that is a folder", "folder in no folder", "folder that is a file"],
)
def test_places_where_nothing_can_be_written(tmp_path, check, name, message):
    """One line that says which."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=message):
        check(tmp_path / name)


def test_a_folder_that_is_there_or_can_be_made(tmp_path):
    """Twin: nothing is refused."""
    check_folder(tmp_path)
    check_folder(tmp_path / "new")


def test_json_has_no_nan(tmp_path):
    """Numbers that are not finite are written as strings, at any depth; without a path nothing is written."""
    write_json(tmp_path / "a.json", {"a": [1.5, float("nan"), {"b": float("-inf")}]})
    write_json(None, {})

    assert {"a": [1.5, "nan", {"b": "-inf"}]} == json.loads((tmp_path / "a.json").read_text())
    assert [1, "x", None] == finite([1, "x", None])


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
