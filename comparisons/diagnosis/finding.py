"""What was found of two runs, as text, JSON and HTML.

The result file of `compare --json`:
{"verdict": "equal" | "equal up to rounding" | "different" | "nothing proved", "exit_status", "not_compared": ["…"],
 "explanations": [{"name", "number": null | {"what", "value"}, "holds": [n, N], "sentence"}],
 "comparison": {"reference", "candidate", "updates", "parameters", "elements", "exit_status", "first_difference",
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
from comparisons.diagnosis.comparison_words import compared, fields, headline, json_of
from comparisons.diagnosis.evidence import Evidence
from comparisons.diagnosis.hypotheses import Explanation
from comparisons.diagnosis.rounding import Rounding
from comparisons.diagnosis.search import Diagnosis
from comparisons.diagnosis.words import because, sentence
from comparisons.runs.targets import finite
from reference.errors import printable

LINE, LABEL = 98, 12  # columns of a line of text, and of what stands at its left
VERDICTS = {0: "equal", 1: "different", 3: "nothing proved"}
UP_TO_ROUNDING = "equal up to rounding"


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
    rounding: Rounding | None = None  # how the differences compare with rounding, where nothing else explains them
    allow_rounding: bool = False  # is a difference by rounding alone as good as none?
    remarks: tuple[str, ...] = ()  # what was not checked

    @property
    def up_to_rounding(self) -> bool:
        """Do the runs differ, and by rounding alone?"""
        return self.rounding is not None and self.rounding.alone and self.comparison.exit_status == 1

    @property
    def exit_status(self) -> int:
        """0 equal; 1 different, also by rounding unless that is allowed; 3 nothing proved."""
        if self.up_to_rounding and self.comparison.vacuous:
            return 3
        return 0 if self.up_to_rounding and self.allow_rounding else self.comparison.exit_status

    @property
    def verdict(self) -> str:
        """One of VERDICTS, or UP_TO_ROUNDING."""
        return UP_TO_ROUNDING if self.up_to_rounding and self.exit_status != 3 else VERDICTS[self.exit_status]

    @property
    def first_difference(self) -> FirstDifference | None:
        """The first element that differs; None where none does, or where only digests tell."""
        return self.comparison.first_difference or self.comparison.first_beside

    @property
    def not_compared(self) -> list[str]:
        """What one of the runs recorded, and was not compared."""
        return self.comparison.not_compared

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
        parts, indent = [self.headline, ""], " " * (LABEL + 2)
        for label, words in self.lines():
            first = f"  {label:{LABEL}}" if len(label) < LABEL else f"  {label}  "
            parts += textwrap.wrap(
                printable(words), LINE, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False
            ) or [first]
        return "\n".join([*parts, f"  {'again':{LABEL}}{printable(self.again)}"])

    def lines(self) -> Iterator[tuple[str, str]]:
        """What stands below the headline: a label and words."""
        yield from compared(self.comparison)
        for remark in self.remarks:
            yield "not checked", remark
        if self.evidence and self.diagnosis:
            yield from because(self.evidence, self.diagnosis, self.rounding)

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        left = self.rounding if self.verdict == UP_TO_ROUNDING else None
        return printable(headline(self.comparison, left, self.exit_status))

    def __repr__(self) -> str:
        return f"<Finding: {self.headline}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.report)}</pre>"

    def to_json(self) -> dict[str, Any]:
        """The result file of `compare`; a number that is not finite is a text."""
        result: dict[str, Any] = fields(self, "verdict", "exit_status", "not_compared")
        result["explanations"] = [explanation._asdict() for explanation in self.explanations]
        return finite(result | {"comparison": json_of(self.comparison), "diagnosis": self.diagnosis_json()})

    def diagnosis_json(self) -> dict[str, Any] | None:
        """The diagnosis, for programs."""
        found, evidence = self.diagnosis, self.evidence
        if not (found and evidence):
            return None
        return {
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
            "rounding": self.rounding and asdict(self.rounding),
        }


def named_explanation(evidence: Evidence, found: Diagnosis, e: Explanation) -> NamedExplanation:
    """The explanation for programs. One that does not predict each update that it is tried on is no explanation."""
    first, last = e.updates or (1, 0)
    number = None if e.value is None else {"what": e.number, "value": e.value}
    return NamedExplanation(e.key, number, (last - first + 1,) * 2, sentence(evidence, found, e))
