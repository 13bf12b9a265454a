"""What `compare` says of every fault, as a result file. Run: python -m tests.faults FILE."""

import inspect
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import reference.data
from comparisons.diagnosis.words import sentence
from comparisons.recorders.plain import Recorder
from comparisons.same_training import Finding, compare, record_reference
from tests.faults.table import FAULTS, Fault

MODULES = {"by_hand": "NumPy", "in_torch": "PyTorch"}


def examine(fault: Fault, folder: Path) -> Finding:
    """Train the reference and the fault, and compare them."""
    data = reference.data.article()
    record_reference(folder / "reference.npz", fault.experiment, data, 10**9)
    with Recorder(folder / "candidate.npz") as trace:
        for state in fault.code(fault.experiment, data).run():
            trace.update(state)
    return compare(folder / "reference.npz", folder / "candidate.npz", experiment=fault.experiment, data=data)


def row(fault: Fault) -> dict[str, Any]:
    """A row of the page."""
    with tempfile.TemporaryDirectory() as folder:
        finding = examine(fault, Path(folder))
    diagnosis = finding.diagnosis
    assert diagnosis
    assert finding.evidence
    return {
        "module": MODULES[fault.code.__module__.rpartition(".")[2]],
        "name": fault.code.__name__,
        "words": " ".join((inspect.getdoc(fault.code) or "").split()),
        "update": diagnosis.update,
        "parameters": list(diagnosis.parameters),
        "says": sentence(finding.evidence, diagnosis, diagnosis.explanations[0]),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    with np.errstate(over="raise", invalid="raise"):
        rows = [row(fault) for fault in FAULTS]
    Path(sys.argv[1]).write_text(json.dumps({"faults": rows}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
