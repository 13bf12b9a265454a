"""What was found of two runs, as text, JSON and HTML.

The result file of `compare --json`:
{"comparison": {"reference", "candidate", "updates", "parameters", "elements", "exit_status", "first_difference",
                "digests", "parted", "ulps", "least_ulps", "notes", "vacuous", "by_parameter": [{"name", "candidate",
                "elements", "differing", "largest_gap", "first_update", "moved"}]},
 "diagnosis": null | {"gradients", "side", "update", "parameters", "updates", "sign_event", "held",
                      "explanations": [{"kind", "what", "value", "residual", "updates", "since", "words"}]}}
"""

import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, NamedTuple

from comparisons.agreement.bits import FirstDifference
from comparisons.agreement.traces import Comparison
from comparisons.diagnosis.evidence import Evidence
from comparisons.diagnosis.hypotheses import Explanation
from comparisons.diagnosis.search import Diagnosis
from comparisons.diagnosis.words import because, sentence
from comparisons.runs.trace import UPDATES, Trace, shown

LINE, LABEL = 98, 12  # columns of a line of text, and of what stands at its left
VERDICTS = {0: "equal", 1: "different", 3: "nothing proved"}


class NamedExplanation(NamedTuple):
    """An explanation for programs."""

    name: str  # a key of `hypotheses.HYPOTHESES`
    number: dict[str, object] | None  # {"what": a field of UpdateRule, "value": the fitted number}
    holds: tuple[int, int]  # it predicts n of the N updates that it was tried on
    sentence: str


@dataclass(frozen=True)
class Finding:
    """A comparison of two runs, and why it came out as it did."""

    comparison: Comparison
    evidence: Evidence | None
    diagnosis: Diagnosis | None
    again: str  # what makes it again

    @property
    def exit_status(self) -> int:
        """0 equal, 1 different, 3 nothing proved."""
        return self.comparison.exit_status

    @property
    def verdict(self) -> str:
        """One of VERDICTS."""
        return VERDICTS[self.exit_status]

    @property
    def first_difference(self) -> FirstDifference | None:
        """The first element that differs; None where none does, or where only digests tell."""
        return self.comparison.first_difference

    @property
    def not_compared(self) -> list[str]:
        """What one of the runs recorded, and was not compared."""
        return list(left_out(self.comparison))

    @property
    def explanations(self) -> list[NamedExplanation]:
        """The implementation differences that explain it, best first."""
        found, evidence = self.diagnosis, self.evidence
        return (
            []
            if found is None or evidence is None
            else [named_explanation(evidence, found, e) for e in found.explanations]
        )

    @property
    def report(self) -> str:
        """All of it as text, headline first; what makes it again is one line, however long."""
        parts, indent = [headline(self.comparison), ""], " " * (LABEL + 2)
        for label, words in self.lines():
            first = f"  {label:{LABEL}}" if len(label) < LABEL else f"  {label}  "
            parts += textwrap.wrap(
                words, LINE, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False
            ) or [first]
        return "\n".join([*parts, f"  {'again':{LABEL}}{self.again}"])

    def lines(self) -> Iterator[tuple[str, str]]:
        """What stands below the headline: a label and words."""
        yield from compared(self.comparison)
        if self.evidence and self.diagnosis:
            yield from because(self.evidence, self.diagnosis)

    def __repr__(self) -> str:
        return f"<Finding: {headline(self.comparison)}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.report)}</pre>"

    def to_json(self) -> dict[str, Any]:
        """The result file of `compare`."""
        found, evidence = self.diagnosis, self.evidence
        if not (found and evidence):
            return {"comparison": json_of(self.comparison), "diagnosis": None}
        diagnosis = {
            **{"gradients": evidence.source, "side": evidence.side},
            **{"update": found.update, "parameters": list(found.parameters), "updates": found.window.looked_at},
            **{"sign_event": found.window.sign_event, "held": found.window.undetermined},
            "explanations": [
                {
                    **{"kind": e.key, "what": e.variant.words},
                    **fields(e, "value", "residual", "updates", "since"),
                    "words": sentence(evidence, found, e),
                }
                for e in found.explanations
            ],
        }
        return {"comparison": json_of(self.comparison), "diagnosis": diagnosis}


def fields(of: object, *names: str) -> dict[str, Any]:
    """These attributes by their names."""
    return {name: getattr(of, name) for name in names}


def named_explanation(evidence: Evidence, found: Diagnosis, e: Explanation) -> NamedExplanation:
    """The explanation for programs. One that does not predict each update that it is tried on is no explanation."""
    first, last = e.updates or (1, 0)
    number = None if e.value is None else {"what": e.number, "value": e.value}
    return NamedExplanation(e.key, number, (last - first + 1,) * 2, sentence(evidence, found, e))


def headline(c: Comparison) -> str:
    """The verdict in one line."""
    many = "s" * (len(c.parameters) != 1)
    counted = f"{c.updates:,} updates, {len(c.parameters)} parameter{many}, {c.elements:,} elements"
    if c.exit_status == 3:
        return f"NOTHING PROVED: {c.vacuous[0]} ({counted} compared)"
    if c.exit_status == 0:
        how = "bit for bit" if not c.ulps else f"within {c.ulps:g} ULPs of the largest element"
        return f"EQUAL {how}: {counted} compared"
    first = c.first_difference
    if first is None or c.first_update != first.update:
        return f"DIFFERENT at update {c.first_update:,}, by their digests ({counted} compared)"
    return f"DIFFERENT at update {first.update:,}: {first.parameter}{first.index} ({counted} compared)"


def compared(c: Comparison) -> Iterator[tuple[str, str]]:
    """What was compared, and what that showed."""
    yield "reference", described(c.reference)
    yield "candidate", described(c.candidate)
    for note in c.notes:
        yield "differs", note
    for reason in c.vacuous:
        yield "proves", f"nothing: {reason}"
    unmoved = [p.pair.reference for p in c.parameters if not p.moved]
    if unmoved and c.exit_status == 0:
        yield "unmoved", f"{', '.join(unmoved)}, in both runs: nothing is proved of how they are trained"
    if c.digests:
        parted = f"differ from update {c.parted:,} on" if c.parted is not None else f"equal after {c.digests:,} updates"
        yield "digests", parted
    if c.first_difference:
        yield from parting(c, c.first_difference)
    if c.ulps or c.first_difference:
        share = 100 * c.least_ulps / c.ulps if c.ulps else 0.0
        allowed = f"{c.ulps:g} ULPs of the largest element were allowed, {share:.3g} % of it used"
        asked = allowed if c.ulps else "none was asked for"
        yield "tolerance", f"{asked}; the least that would pass is {c.least_ulps:.3g} ULPs"


def parting(c: Comparison, first: FirstDifference) -> Iterator[tuple[str, str]]:
    """Where they part, and what becomes of each parameter."""
    yield "first", str(first)
    equal = [p.pair.reference for p in c.parameters if p.first_update != first.update]
    without_gaps = c.digests or c.updates == c.last_update
    before = f"{'everything' if without_gaps else 'all that was recorded'} before update {c.first_update:,}"
    agrees = [*([before] if c.first_update else []), *([f"{', '.join(equal)} after it"] if equal else [])]
    yield "agrees", "; ".join(agrees) or "nothing"
    for p in c.parameters:
        if p.first_update is not None:
            yield (
                p.pair.reference,
                f"from update {p.first_update:,} on, by up to {p.largest_gap:.3g}; at the end {p.differing} of"
                f" {p.elements} elements differ",
            )


def described(trace: Trace) -> str:
    """A trace in a line."""
    said = trace.header.get("framework")
    return f"{trace.path}: {shown(said) + ', ' if said else ''}{trace.rows:,} states"


def left_out(c: Comparison) -> Iterator[str]:
    """Columns beside the parameters, which are for the diagnosis, and updates after the end of the shorter run."""
    for side, trace in (("reference", c.reference), ("candidate", c.candidate)):
        yield from (f"{side}: {shown(n)}" for n in trace.columns if n.startswith(("gradient:", "optimizer:")))
        if len(numbers := trace.read(UPDATES)) and int(numbers[-1]) > c.last_update:
            yield f"{side}: the updates after {c.last_update:,}"


def json_of(c: Comparison) -> dict[str, Any]:
    """The comparison, for programs."""
    of_parameter = ("elements", "differing", "largest_gap", "first_update", "moved")
    return {
        **{"reference": str(c.reference.path), "candidate": str(c.candidate.path)},
        **{"updates": c.updates, "parameters": len(c.parameters)},
        **fields(c, "elements", "exit_status"),
        "first_difference": c.first_difference and asdict(c.first_difference),
        **fields(c, "digests", "parted", "ulps", "least_ulps", "notes", "vacuous"),
        "by_parameter": [
            {"name": p.pair.reference, "candidate": p.pair.candidate, **fields(p, *of_parameter)} for p in c.parameters
        ],
    }
