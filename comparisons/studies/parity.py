"""Does one experiment give the same weights in NumPy and in PyTorch?"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch

import reference.train
import torch_impl.train
from comparisons.agreement.controls import NotJudged, not_judged
from comparisons.agreement.free_run import Agreement, Tick, compare_runs, ticking
from comparisons.agreement.lockstep import Lockstep, lockstep
from comparisons.agreement.ties import ClosestCall, RoundingTie, rounding_tie
from comparisons.recorders.plain import Recorder
from comparisons.runs.names import as_state
from comparisons.studies.styles import NetworkSummary, summary_of
from reference.data import Dataset
from reference.experiment import Experiment, Parameters


class ParityCheck(NamedTuple):
    """An experiment to check, and its data."""

    experiment: Experiment
    data: Dataset
    certify: bool = False  # check a rounded run in lockstep too
    traces: tuple[Path, Path] | None = None  # where to record a rounded run, of the reference and of the candidate


class ParityResult(NamedTuple):
    """What a check showed."""

    asked: ParityCheck
    check: str
    outcome: Agreement | Lockstep
    summary: NetworkSummary  # of the reference's network
    closest_call_ulps: int | None = None  # of a rounded run
    certificate: Lockstep | None = None
    tie: RoundingTie | None = None  # what explains the first difference of a rounded run
    not_judged: tuple[NotJudged, ...] = ()  # which wrong L1 would have passed, too

    @property
    def equal_again(self) -> bool:
        """Does nothing but a rounding tie explain the first difference, and are the runs equal at the end?"""
        return self.tie is not None and self.tie.neighbours and self.outcome.differing == 0

    @property
    def untold(self) -> bool:
        """Are the two sides apart by more than a tie can explain, and by no more than float64's rounding can?"""
        return self.tie is not None and not self.tie.neighbours

    @property
    def exit_status(self) -> int:
        """0 equal, 1 the runs differ, 3 nothing was proved."""
        status = 0 if self.equal_again else self.outcome.exit_status
        return 3 if self.untold or (status == 0 and self.not_judged) else status

    @property
    def lockstep(self) -> Lockstep | None:
        """What lockstep showed, as the check itself or as the certificate of a free run."""
        return self.outcome if isinstance(self.outcome, Lockstep) else self.certificate

    @property
    def certified(self) -> bool:
        """Equal, and no value was ever closer to a rounding tie than the two sides were to each other there."""
        equal = self.exit_status == 0 and not self.equal_again
        return equal and self.certificate is not None and self.certificate.certified


def free_run(asked: ParityCheck, tick: Tick) -> ParityResult:
    """Both sides on their own, compared bit for bit after every update; with certify, lockstep along the same run."""
    experiment, data, closest_call = asked.experiment, asked.data, ClosestCall()
    one = reference.train.train(experiment, data, closest_call.step)
    other = torch_impl.train.train(experiment, data)
    if asked.traces:
        one, other = recorded(one, asked, asked.traces[0], "NumPy"), recorded(other, asked, asked.traces[1], "PyTorch")
    agreement = compare_runs(ticking(one, tick), other)
    parted, summary = agreement.first_difference, summary_of(agreement.reference, data)
    certificate = lockstep(experiment, data, tick=tick) if asked.certify else None
    tie = rounding_tie(experiment, data, parted, run=torch_impl.train.train(experiment, data)) if parted else None
    passed = not_judged(experiment, data) if not parted or tie else ()
    return ParityResult(asked, "free run", agreement, summary, closest_call.ulps, certificate, tie, passed)


def recorded(run: Iterator[Parameters], asked: ParityCheck, path: Path, framework: str) -> Iterator[Parameters]:
    """The run itself; each of its updates is written to a trace as it is taken."""
    experiment = {**asdict(asked.experiment), "data": asked.data.name}
    with Recorder(path, framework=framework, experiment=experiment) as trace:
        for parameters in run:
            trace.update(as_state(parameters))
            yield parameters


def in_lockstep(asked: ParityCheck, tick: Tick) -> ParityResult:
    """The candidate restarted before every update, and compared within the tolerance of one update."""
    outcome = lockstep(asked.experiment, asked.data, tick=tick)
    summary = summary_of(outcome.reference, asked.data)
    return ParityResult(asked, "lockstep", outcome, summary, not_judged=outcome.not_judged)


# by precision: only rounded runs stay equal in a free run
METHODS = {"rounded": free_run, "float64": in_lockstep, "float32": in_lockstep}


def check(asked: ParityCheck, tick: Tick) -> ParityResult:
    """The check that the experiment's precision asks for."""
    torch.set_num_threads(1)
    return METHODS[asked.experiment.precision](asked, tick)
