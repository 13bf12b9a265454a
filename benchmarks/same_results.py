"""Does a change of the code leave every result as it was? Run in a checkout, with that checkout's Python.

    python benchmarks/same_results.py capture FOLDER [NAME …]         what the code in the current folder says
    python benchmarks/same_results.py compare BEFORE AFTER [NAME …]   every difference between two such folders

NAME is the beginning of what is captured: lamda, parity-save compare, fault-by_hand. Without it, everything is.

Numbers, names, order, exit statuses and JSON fields must be equal: any difference is an error, and exit status 1. A
sentence may change its words, but not its numbers: each changed sentence is printed once, old and new.
"""

import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LINE = 98  # columns of text in every report: a line goes on where the next word did not fit

STYLES = ["none", "penalty", "as_listed", "tack_on", "decoupled", "clipped", "proximal", "cumulative"]
ALL_STYLES = " ".join(f"--style {style}" for style in STYLES)
MATRIX = f"parity {ALL_STYLES} --optimizer sgd --optimizer momentum --optimizer adam --epochs 2"
LOSSES = "--loss squared_error --loss cross_entropy"
IRIS = "parity --data data/iris.csv --style penalty --style tack_on --lamda 0.0005 --seed 0 --seed 1 --epochs 50"

# name -> the command's arguments; RUNS is a folder that all commands share, --json is added where it is not refused
COMMANDS = {
    "styles": "styles --epochs 5",
    "styles-iris": "styles --epochs 2 --lamda 0.01 --seed 3 --optimizer adam --loss cross_entropy --data data/iris.csv",
    "differences": "differences --epochs 5",
    "parity-iris": IRIS,
    "parity-rounded": f"{MATRIX} {LOSSES}",
    "parity-float64": f"{MATRIX} {LOSSES} --precision float64",
    "parity-float32": f"{MATRIX} {LOSSES} --precision float32",
    "parity-certify": f"parity {ALL_STYLES} --epochs 2 --certify",
    "parity-options": "parity --style decoupled --style proximal --sizes 10-5-5-4 --l2 0.01 --batch-size 7"
    " --reduction sum --lr-schedule inverse --lamda-schedule inverse --softmax-derivative diagonal --epochs 3",
    "parity-no-update": "parity --epochs 0",
    "parity-no-step": "parity --lr 0 --epochs 1",
    "parity-unknown-style": "parity --style lasso",
    "parity-wrong-sizes": "parity --sizes 10-8",
    "parity-save": "parity --style penalty --style tack_on --epochs 1 --save RUNS",
    "parity-save-again": "parity --style penalty --style tack_on --epochs 1 --save RUNS",
    "compare-equal": "compare RUNS/1-reference.npz RUNS/1-candidate.npz",
    "compare-different": "compare RUNS/1-reference.npz RUNS/2-candidate.npz",
    "compare-ulps": "compare RUNS/1-reference.npz RUNS/2-candidate.npz --ulps 1e7",
    "compare-itself": "compare RUNS/1-reference.npz RUNS/1-reference.npz",
    "compare-no-file": "compare RUNS/1-reference.npz RUNS/none.npz",
    "diagnose": "diagnose RUNS/2-candidate.npz",
    "lamda-to-tack-on": "lamda --from penalty --to tack_on",
    "lamda-to-decoupled": "lamda --from tack_on --to decoupled --lr 0.05 --lamda 0.002",
    "lamda-same-style": "lamda --from proximal --to proximal",
    "lamda-of-nothing": "lamda --from none --to penalty",
    "lamda-asymptotic": "lamda --from penalty --to proximal",
    "lamda-cumulative": "lamda --from clipped --to cumulative",
    "lamda-impossible": "lamda --from penalty --to as_listed",
    "lamda-to-none": "lamda --from penalty --to none",
    "lamda-momentum": "lamda --from penalty --to decoupled --optimizer momentum --momentum 0.8",
    "lamda-from-momentum": "lamda --from tack_on --to penalty --optimizer momentum",
    "lamda-adam": "lamda --from penalty --to decoupled --optimizer adam",
    "lamda-adam-possible": "lamda --from decoupled --to tack_on --optimizer adam",
    "lamda-schedule": "lamda --from penalty --to tack_on --lr-schedule inverse",
    "lamda-schedule-constant": "lamda --from penalty --to tack_on --lr-schedule inverse --constant",
    "lamda-both-schedules": "lamda --from decoupled --to tack_on --lr-schedule inverse --lamda-schedule inverse",
    "lamda-schedule-back": "lamda --from tack_on --to penalty --lr-schedule inverse --lamda-schedule inverse",
    "lamda-to-mean": "lamda --from penalty --to tack_on --reduction sum --to-reduction mean --batch-size 10",
    "lamda-to-sum": "lamda --from decoupled --to decoupled --to-reduction sum --batch-size 10 --l2 0.01",
    "lamda-adam-to-sum": "lamda --from penalty --to penalty --optimizer adam --to-reduction sum --batch-size 10",
    "lamda-units": "lamda --from penalty --to cumulative --lamda-unit C --lamda 5 --to-unit alpha"
    " --l2 1 --l2-unit keras",
    "lamda-lasso": "lamda --from penalty --to tack_on --lamda-unit lasso --to-unit C --items 1000",
    "lamda-proved": "lamda --from penalty --to tack_on --prove --epochs 2",
    "lamda-not-proved": "lamda --from penalty --to proximal --prove --epochs 2",
    "lamda-unknown-style": "lamda --from lasso --to tack_on",
    "lamda-bad-number": "lamda --from penalty --to tack_on --lr nan",
    "article": "article",
}

# keys whose value is text for people, or a list of such
PROSE = {"stdout", "stderr", "words", "reason", "notes", "vacuous", "gradients", "says"}


# --- capture ----------------------------------------------------------------------------------------------------------


def capture(folder: Path, names: tuple[str, ...] = ("",)) -> None:
    """Write NAME.json for every command, fault and result file: exit status, output, and the command's own JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for path in sorted(Path("docs/results").glob("*.json")):
            if (name := f"docs-{path.stem}").startswith(names):
                keep(folder, name, temporary, {"result": json.loads(path.read_text(encoding="utf-8"))})
        for name, arguments in COMMANDS.items():
            if name.startswith(names):
                keep(folder, name, temporary, of_command(name, arguments, temporary))
        for name, found in of_faults(Path(temporary), names):
            keep(folder, name, temporary, found)


def keep(folder: Path, name: str, temporary: str, found: dict[str, Any]) -> None:
    """Write what was found, without the name of the temporary folder."""
    text = json.dumps(found, indent=1, ensure_ascii=False).replace(temporary, "FOLDER")
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(name, found.get("exit_status", ""), flush=True)


def of_command(name: str, arguments: str, temporary: str) -> dict[str, Any]:
    """What `python -m comparisons` says, and the result file that it writes."""
    path = Path(temporary, f"{name}.json")
    call = [sys.executable, "-m", "comparisons", *arguments.replace("RUNS", f"{temporary}/runs").split()]
    done = subprocess.run([*call, "--json", str(path)], capture_output=True, text=True)
    return {
        "exit_status": done.returncode,
        "stdout": done.stdout,
        "stderr": done.stderr,
        "result": json.loads(path.read_text(encoding="utf-8")) if path.exists() else None,
    }


def of_faults(temporary: Path, names: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What `compare` says of each wrong implementation in tests/faults, and of the two right ones."""
    sys.path.insert(0, os.getcwd())
    import numpy as np
    import torch

    from tests.faults import by_hand, in_torch
    from tests.faults.__main__ import examine
    from tests.faults.table import FAULTS, Fault

    torch.set_num_threads(1)
    for fault in [*FAULTS, Fault(by_hand.Right, ""), Fault(in_torch.Right, "")]:
        name = f"fault-{fault.code.__module__.rpartition('.')[2]}-{fault.code.__name__}"
        if not name.startswith(names):
            continue
        place = temporary / name
        place.mkdir()
        with np.errstate(over="raise", invalid="raise"):
            finding = examine(fault, place)
        yield (
            name,
            {
                "exit_status": finding.comparison.exit_status,
                "stdout": finding.report,
                "result": json.loads(json.dumps(finding.to_json())),
            },
        )


# --- compare ----------------------------------------------------------------------------------------------------------


def compare(before: Path, after: Path, wanted: tuple[str, ...] = ("",)) -> int:
    """Print errors and changed sentences; 1 if there is an error."""
    one, other = (
        {path.stem for path in folder.glob("*.json") if path.stem.startswith(wanted)} for folder in (before, after)
    )
    errors = [f"{name}: only in one of the folders" for name in sorted(one ^ other)]
    changed: dict[tuple[str, str], str] = {}  # (old, new) without their numbers -> where it is first
    for name in sorted(one & other):
        for kind, where, was, now in differences(name, *(load(folder / f"{name}.json") for folder in (before, after))):
            if kind == "error":
                errors.append(f"{where}\n    before  {short(was)}\n    after   {short(now)}")
            else:
                changed.setdefault((NUMBER.sub("#", was), NUMBER.sub("#", now)), f"{where}\n  - {was}\n  + {now}")
    once = [
        shown
        for (was, now), shown in changed.items()
        if not any(was.replace(a, b) == now for a, b in changed if a and (a, b) != (was, now))
    ]
    print(f"{len(one & other)} captures compared: {len(errors)} errors, {len(once)} changed sentences")
    for title, found in (("ERRORS", errors), ("CHANGED SENTENCES", once)):
        if found:
            print("", title, *found, sep="\n")
    return 1 if errors or not one else 0


def load(path: Path) -> Any:
    """A capture, without the names of temporary folders."""
    return json.loads(re.sub(r"/[\w/]*/tmp[a-z0-9_]{8}\b", "FOLDER", path.read_text(encoding="utf-8")))


def short(value: Any) -> str:
    """The beginning of a long value."""
    return text if len(text := str(value)) <= 300 else f"{text[:300]} …"


Found = tuple[str, str, Any, Any]  # "error" or "sentence", where, old, new
NUMBER = re.compile(r"(?<![\w.])[-−]?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?", re.IGNORECASE)


def differences(where: str, old: Any, new: Any, prose: bool = False) -> Iterator[Found]:
    """All differences of two values of JSON; prose: their strings are sentences."""
    if isinstance(old, dict) and isinstance(new, dict):
        if list(old) != list(new):
            yield "error", f"{where}: fields", list(old), list(new)
        for key in [key for key in old if key in new]:
            yield from differences(f"{where} {key}", old[key], new[key], key in PROSE)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(f"{where} [{place}]", one, other, prose)
    elif prose and isinstance(old, str) and isinstance(new, str):
        yield from in_text(where, old, new)
    elif json.dumps(old) != json.dumps(new):
        yield "error", where, old, new


def in_text(where: str, old: str, new: str) -> Iterator[Found]:
    """Numbers that differ, in their order; rows of tables that differ; changed sentences."""
    one, other = NUMBER.findall(old), NUMBER.findall(new)
    if one != other:
        yield "error", f"{where}: numbers", *around(one, other)
    lines = sentences(old), sentences(new)
    for tag, a, b, c, d in difflib.SequenceMatcher(None, *lines, autojunk=False).get_opcodes():
        was, now = lines[0][a:b], lines[1][c:d]
        for pair in zip(was, now, strict=True) if len(was) == len(now) else [(" ".join(was), " ".join(now))]:
            if tag != "equal":
                yield "error" if any(line.startswith(ROW) for line in pair) else "sentence", where, *pair


def around(one: list[str], other: list[str]) -> tuple[str, str]:
    """The first number that differs, with its neighbours."""
    pairs = enumerate(zip(one, other, strict=False))
    first = next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
    shown = [" ".join(numbers[max(first - 2, 0) : first + 3]) for numbers in (one, other)]
    return f"… {shown[0]} … ({len(one)} numbers)", f"… {shown[1]} … ({len(other)} numbers)"


ROW = "| "  # what a row of a table is marked with


def sentences(text: str) -> list[str]:
    """The text's sentences and rows of tables, without line breaks and alignment."""
    found: list[str] = []
    before = ""  # the line before
    for line in text.splitlines():
        begins_a_label = re.match(r"  \S", line)
        goes_on = line.strip() and before and len(f"{before} {line.split()[0]}") > LINE and not begins_a_label
        if re.search(r"^\S.*  .*\S  ", line):
            found.append(ROW + " ".join(line.split()))
        elif goes_on and found:
            found[-1] += f" {' '.join(line.split())}"
        elif line.strip():
            found.append(" ".join(line.split()))
        before = line
    return [part for line in found for part in ([line] if line.startswith(ROW) else re.split(r"(?<=\.)\s+", line))]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["capture", folder, *names]:
            capture(Path(folder).resolve(), tuple(names) or ("",))
        case ["compare", before, after, *names]:
            sys.exit(compare(Path(before), Path(after), tuple(names) or ("",)))
        case _:
            sys.exit(__doc__)
