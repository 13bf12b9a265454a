"""What pages show: blocks of code, commands, and what the commands print."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCKS = re.compile(r"(?:<!-- (?P<name>\S+) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)```", re.DOTALL)


def commands(text):
    """The commands of a block, and the lines that each must print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def missing(shown, printed):
    """The first shown line that is not printed below the ones before it; … stands for anything."""
    lines = iter(printed.splitlines())
    for pattern in shown:
        glob = re.sub(r"([\[\]?*])", r"[\1]", pattern).replace("…", "*")
        if not any(fnmatchcase(line, glob) for line in lines):
            return pattern
    return None
