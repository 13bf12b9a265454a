"""Files that are written: what may be replaced, by whom, and what is left where that fails."""

import json
import os
import threading

import pytest

from comparisons.runs import targets
from comparisons.runs.targets import check_folder, check_target, finite, json_writer, write
from reference.errors import InputError

LEFT = r"a\.json: the file exists and is no result of this command; it is left as it is$"
SINCE = r"a\.json: it has been written to since this program began; it is left as it is$"
OURS = '{\n  "made_by": "l1-parity parity"'
THEIRS = {
    "text": "notes",
    "a list with the word": '["made_by", "l1-parity parity"]',
    "a string with the word": '"experiments"',
    "a result of earlier versions, or of anybody": '{"experiments": []}',
    "another command's": '{\n  "made_by": "l1-parity lamda",\n  "translation": {}\n}',
    "another program's": '{\n  "made_by": "parity"\n}',
    "a longer name": '{\n  "made_by": "l1-parity parity2"\n}',
    "not at the beginning": f'{{"mine": {OURS}}}}}',
    "too deep to be read": "[" * 100_000,
    "a trace": "PK\3\4 made_by",
}


@pytest.fixture(name="path")
def path_of_a_result(tmp_path):
    """A name that is free."""
    return tmp_path / "a.json"


def test_a_new_file_an_empty_one_and_one_of_ours_are_written(path):
    """The same file three times; nothing is left beside it, and its permissions are kept."""
    path.touch(0o640)
    for number in range(3):
        json_writer(path, "parity")({"number": number})
        assert {"made_by": "l1-parity parity", "number": number} == json.loads(path.read_text())
    assert (["a.json"], 0o100640) == (os.listdir(path.parent), path.stat().st_mode)


@pytest.mark.parametrize("content", THEIRS.values(), ids=THEIRS)
def test_what_is_no_result_of_the_command_is_left(path, content):
    """Twin: whatever else is there."""
    path.write_text(content)
    with pytest.raises(InputError, match=LEFT):
        json_writer(path, "parity")

    assert content == path.read_text()


@pytest.mark.parametrize("content", ["", '{"rows": []}'], ids=["empty", "not empty"])
def test_where_nothing_is_ours_every_file_is_left_as_it_is(tmp_path, content):
    """An empty one, too."""
    (tmp_path / "a.npz").write_text(content)
    with pytest.raises(InputError, match=r"a\.npz: the file exists; it is left as it is$"):
        check_target(tmp_path / "a.npz")


UNWRITABLE = {
    "in no folder": (check_target, "none/a.json", r"none/a\.json: there is no folder \S+none$"),
    "in a file": (check_target, "file/a.json", r"file/a\.json: there is no folder \S+file$"),
    "a folder": (check_target, "folder", "folder: is a folder$"),
    "a pipe": (check_target, "pipe", "pipe: is no regular file, but a pipe, a device or a socket$"),
    "a device": (check_target, "/dev/full", "/dev/full: is no regular file, but a pipe, a device or a socket$"),
    "a device that takes all": (check_target, "/dev/null", "/dev/null: is no regular file"),
    "a link to a device": (check_target, "link", "link: is no regular file"),
    "a link to itself": (check_target, "loop", r"loop: cannot be written \(Too many levels of symbolic links\)$"),
    "a link to no folder": (check_target, "lost", r"lost: there is no folder \S+none$"),
    "too long a name": (check_target, "a" * 256, r"a: cannot be written \(File name too long\)$"),
    "a name with a zero": (check_target, "a\0b", r"a\\x00b: cannot be written \(embedded null byte\)$"),
    "where nobody can write": (check_target, "/proc/a.json", r"/proc/a\.json: cannot be written \("),
    "a folder in no folder": (check_folder, "none/folder", r"none/folder: there is no folder \S+none$"),
    "a folder that is a file": (check_folder, "file", "file: is no folder$"),
    "a folder that is a device": (check_folder, "/dev/full", "/dev/full: is no folder$"),
    "a folder that leads nowhere": (check_folder, "lost", "lost: is no folder$"),
    "a folder where nobody can write": (check_folder, "/proc/new", r"/proc/new: cannot be written \("),
    "a folder with too long a name": (check_folder, "a" * 256, r"a: cannot be written \(File name too long\)$"),
}


@pytest.mark.parametrize(("check", "name", "message"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_places_where_nothing_can_be_written(tmp_path, check, name, message):
    """One line that says which, before anything is done."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for link, target in {"link": "/dev/full", "loop": "loop", "lost": "none/a"}.items():
        (tmp_path / link).symlink_to(target)
    with pytest.raises(InputError, match=message) as refused:
        check(tmp_path / name)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["a", "a" * 255, "\udcff", "λ", " ", "new\nline"])
def test_names_that_a_file_can_have(tmp_path, name):
    """Twin: nothing is refused, and the folder is as it was before."""
    write(check_target(tmp_path / name), b"1")
    check_folder(tmp_path)
    check_folder(tmp_path / "new")

    assert [name] == os.listdir(tmp_path)


def test_a_full_disk_is_said_before_and_after(path, monkeypatch):
    """Whenever it is full: an error of one line, the old result is kept, nothing is left beside it."""
    write_result = json_writer(path, "parity")
    write_result({"number": 1})
    again = json_writer(path, "parity")

    def full(_number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"a\.json: cannot be written \(No space left on device\)$"):
        again({"number": 2})
    monkeypatch.setattr(targets, "PROBE", None)
    with pytest.raises(TypeError):
        json_writer(path, "parity")

    assert (1, ["a.json"]) == (json.loads(path.read_text())["number"], os.listdir(path.parent))


def test_the_file_of_a_link_is_written_and_the_link_stays(tmp_path, path):
    """As the user has arranged it; a link to a file that is still to be made works as well."""
    path.symlink_to("there.json")
    for number in range(2):
        json_writer(path, "parity")({"number": number})

    assert path.is_symlink()
    assert 1 == json.loads((tmp_path / "there.json").read_text())["number"]


@pytest.mark.parametrize("old", [None, "", "ours"], ids=str)
def test_of_two_programs_one_wins_and_the_other_says_so(path, old):
    """Whether there was a file before or not."""
    if old is not None:
        path.touch()
    if old:
        json_writer(path, "parity")({"number": 0})
    first, second = json_writer(path, "parity"), json_writer(path, "parity")
    first({"number": 1})
    with pytest.raises(InputError, match=SINCE):
        second({"number": 2})

    assert 1 == json.loads(path.read_text())["number"]
    json_writer(path, "parity")({"number": 3})  # twin: one after the other


@pytest.mark.parametrize("old", [False, True])
def test_of_many_at_once_one_wins(path, old):
    """Threads, as flock and O_EXCL tell open files apart and not processes."""
    for _ in range(20):
        if old:
            json_writer(path, "parity")({"winner": None})
        else:
            path.unlink(missing_ok=True)
        writers, lost = [json_writer(path, "parity") for _ in range(8)], []

        def run(number, writers=writers, lost=lost):
            try:
                writers[number]({"winner": number})
            except InputError:
                lost.append(number)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [json.loads(path.read_text())["winner"]] == sorted(set(range(8)) - set(lost))


def test_a_file_that_was_removed_meanwhile_is_written(path):
    """Nothing is lost by it."""
    json_writer(path, "parity")({})
    again = json_writer(path, "parity")
    path.unlink()
    again({"number": 2})

    assert 2 == json.loads(path.read_text())["number"]


def test_json_has_no_nan(path):
    """Numbers that are not finite are written as strings, at any depth."""
    json_writer(path, "parity")({"a": [1.5, float("nan"), {"b": float("-inf"), "c": (float("inf"),)}]})

    assert [1.5, "nan", {"b": "-inf", "c": ["inf"]}] == json.loads(path.read_text())["a"]
    assert [1, "x", None] == finite([1, "x", None])
