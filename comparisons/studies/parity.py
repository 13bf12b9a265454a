"""Does one experiment give the same weights on both sides?"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import reference.network
import reference.train
import torch_impl.train
from comparisons.agreement.free_run import (
    Agreement,
    ClosestCall,
    Lockstep,
    RoundingTie,
    Tick,
    compare_runs,
    lockstep,
    rounding_tie,
    ticking,
)
from comparisons.diagnosis.evidence import as_state
from comparisons.recorders.plain import Recorder
from comparisons.studies.styles import Figures, figures
from reference.data import Dataset
from reference.experiment import Experiment, Parameters


@dataclass(frozen=True)
class Task:
    """An experiment to check, and its data."""

    experiment: Experiment
    data: Dataset
    certify: bool = False  # check a rounded run in lockstep too
    traces: tuple[Path, Path] | None = None  # where to record a rounded run, of the reference and of the candidate


@dataclass(frozen=True)
class Result:
    """What the check of a task showed."""

    task: Task
    check: str
    outcome: Agreement | Lockstep
    figures: Figures  # of the reference's network
    closest_call_ulps: int | None = None  # of a rounded run
    certificate: Lockstep | None = None
    tie: RoundingTie | None = None  # what explains the first difference of a rounded run

    @property
    def met_again(self) -> bool:
        """Were the runs parted by nothing but a rounding tie, and equal at the end?"""
        return self.tie is not None and self.outcome.differing == 0

    @property
    def exit_status(self) -> int:
        """0 equal, 1 the runs differ, 3 nothing was compared."""
        return 0 if self.met_again else self.outcome.exit_status

    @property
    def lockstep(self) -> Lockstep | None:
        """What lockstep showed, as the check itself or beside a free run."""
        return self.outcome if isinstance(self.outcome, Lockstep) else self.certificate

    @property
    def certified(self) -> bool:
        """Equal, and no value was ever closer to a rounding tie than the two sides were to each other there."""
        return self.outcome.exit_status == 0 and self.certificate is not None and self.certificate.certified


def free_run(task: Task, tick: Tick) -> Result:
    """Both sides on their own, compared bit for bit after every update; with certify, lockstep along the same run."""
    closest_call = ClosestCall()
    one = reference.train.train(task.experiment, task.data, closest_call.step)
    other = torch_impl.train.train(task.experiment, task.data)
    if task.traces:
        one, other = recorded(one, task, task.traces[0], "NumPy"), recorded(other, task, task.traces[1], "PyTorch")
    agreement = compare_runs(ticking(one, tick), other)
    parted = agreement.first_difference
    return Result(
        task,
        "free run",
        agreement,
        figures(agreement.reference, task.data, reference.network.predict),
        closest_call.ulps,
        lockstep(task.experiment, task.data, tick=tick) if task.certify else None,
        rounding_tie(task.experiment, task.data, parted) if parted else None,
    )


def recorded(run: Iterator[Parameters], task: Task, path: Path, framework: str) -> Iterator[Parameters]:
    """The run itself, written to a trace as it goes by."""
    said = {**asdict(task.experiment), "data": task.data.name}
    with Recorder(path, framework=framework, experiment=said) as trace:
        for parameters in run:
            trace.update(as_state(parameters))
            yield parameters


def in_lockstep(task: Task, tick: Tick) -> Result:
    """The candidate restarted before every update, and compared within the tolerance of one update."""
    outcome = lockstep(task.experiment, task.data, tick=tick)
    return Result(task, "lockstep", outcome, figures(outcome.reference, task.data, reference.network.predict))


# by precision: only rounded runs stay equal when they are left alone
CHECKS = {"rounded": free_run, "float64": in_lockstep, "float32": in_lockstep}


def check(task: Task, tick: Tick) -> Result:
    """The check that the experiment's precision asks for."""
    torch.set_num_threads(1)
    return CHECKS[task.experiment.precision](task, tick)
