"""Two recorded runs: equal or not, where they part, why, and what would make them agree.

The result file of `compare --json`:
{"comparison": {"reference", "candidate", "updates", "parameters", "elements", "exit_status", "first_difference",
                "digests", "parted", "ulps", "least_ulps", "notes", "vacuous", "by_parameter": [{"name", "candidate",
                "elements", "differing", "largest_gap", "first_update", "moved"}]},
 "diagnosis": null | {"gradients", "side", "update", "parameters", "updates", "sign_event", "held",
                      "explanations": [{"kind", "what", "value", "residual", "updates", "since", "words"}]}}
"""

import math
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from comparisons.agreement.bits import FirstDifference
from comparisons.agreement.traces import Comparison
from comparisons.diagnosis.evidence import Evidence
from comparisons.diagnosis.search import Diagnosis
from comparisons.diagnosis.update_rules import AROUND, NAMED_STYLES, Explanation, UpdateRule
from comparisons.lamda.translation import IMPOSSIBLE, translate_lamda
from comparisons.runs.trace import Trace, shown
from comparisons.tables.terminal import LINE
from reference.l1 import STYLES

LABEL = 12  # columns of what stands at the left


def text(comparison: Comparison, evidence: Evidence | None, found: Diagnosis | None, again: str) -> str:
    """The whole report, headline first; the command that makes it again is one line, however long."""
    parts = [headline(comparison), ""]
    for label, words in lines(comparison, evidence, found):
        first = f"  {label:{LABEL}}" if len(label) < LABEL else f"  {label}  "
        indent = " " * (LABEL + 2)
        parts.append(textwrap.fill(words, LINE, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False))
    return "\n".join([*parts, f"  {'again':{LABEL}}{again}"])


def headline(c: Comparison) -> str:
    """The verdict in one line."""
    counted = f"{c.updates:,} updates, {len(c.parameters)} parameters, {c.elements:,} elements"
    if c.exit_status == 3:
        return f"NOTHING PROVED: {c.vacuous[0]} ({counted} compared)"
    if c.exit_status == 0:
        how = "bit for bit" if not c.ulps else f"within {c.ulps:g} ULPs of the largest element"
        return f"EQUAL {how}: {counted} compared"
    first = c.first_difference
    if first is None or c.first_update != first.update:
        return f"DIFFERENT at update {c.first_update:,}, by their digests ({counted} compared)"
    return f"DIFFERENT at update {first.update:,}: {first.parameter}{first.index} ({counted} compared)"


def lines(c: Comparison, evidence: Evidence | None, found: Diagnosis | None) -> Iterator[tuple[str, str]]:
    """What stands below the headline: a label and words."""
    yield "reference", describe(c.reference)
    yield "candidate", describe(c.candidate)
    for note in c.notes:
        yield "differs", note
    for reason in c.vacuous:
        yield "proves", f"nothing: {reason}"
    still = [outcome.pair.reference for outcome in c.parameters if not outcome.moved]
    if still and c.exit_status == 0:
        yield "unmoved", f"{', '.join(still)}, in both runs: nothing is proved of how they are trained"
    if c.digests:
        until = f"differ from update {c.parted:,} on" if c.parted is not None else f"equal after {c.digests:,} updates"
        yield "digests", until
    if c.first_difference:
        yield from parting(c, c.first_difference)
    if c.ulps or c.first_difference:
        allowed = "none was asked for"
        if c.ulps:
            allowed = (
                f"{c.ulps:g} ULPs of the largest element were allowed, {100 * c.least_ulps / c.ulps:.3g} % of it used"
            )
        yield "tolerance", f"{allowed}; the least that would pass is {c.least_ulps:.3g} ULPs"
    if evidence and found:
        yield from because(evidence, found)


def parting(c: Comparison, first: FirstDifference) -> Iterator[tuple[str, str]]:
    """Where they part, and what becomes of each parameter."""
    yield "first", str(first)
    equal = [outcome.pair.reference for outcome in c.parameters if outcome.first_update != first.update]
    gapless = c.digests or c.updates == c.last_update
    before = [f"{'everything' if gapless else 'all that was recorded'} before update {c.first_update:,}"]
    before = before if c.first_update else []
    yield "agrees", "; ".join([*before, *([f"{', '.join(equal)} after it"] if equal else [])]) or "nothing"
    for outcome in c.parameters:
        if outcome.first_update is not None:
            yield (
                outcome.pair.reference,
                f"from update {outcome.first_update:,} on, by up to {outcome.largest_gap:.3g}; at the end"
                f" {outcome.differing} of {outcome.elements} elements differ",
            )


def describe(trace: Trace) -> str:
    """A trace in a line."""
    said = trace.header.get("framework")
    return f"{trace.path}: {shown(said) + ', ' if said else ''}{trace.rows:,} states"


def because(evidence: Evidence, found: Diagnosis) -> Iterator[tuple[str, str]]:
    """The diagnosis in words."""
    yield "gradients", evidence.source
    before = [e for e in found.explanations if e.change.kind in ("start", "recorded items")]
    told = found.explanations[len(before) :]
    for explanation in before:
        yield "because", words(evidence, found, explanation)
    if found.updates == 0:
        if not before:
            yield "because", f"not known: {NO_STATES}"
    elif found.update is None and found.held:
        yield "because", f"not known: update {found.held:,} {HELD}"
    elif found.update is None:
        every = f"each of the {found.updates:,} updates" if found.updates > 1 else "the one update"
        rounding = "arithmetic in float32" if found.loose and evidence.rounded else "rounding alone"
        told_by = f"{rounding} explains {every} that could be looked at, to {found.residual:.2g}"
        yield "because", f"beside that, {told_by}" if before else f"{told_by}: {so_far(evidence, found)}"
        if found.sign_event and not before:
            yield "", f"before update {found.sign_event:,} {SIGN_EVENT}"
    elif not told and not any(e.change.kind == "recorded items" for e in before):
        where = f"update {found.update:,} of {', '.join(found.parameters)}"
        parted = evidence.comparison.first_difference
        if parted and not math.isfinite(parted.candidate):
            where = f"the candidate is not finite there; {where}"
        yield "because", f"not known: {where} fits none of the differences that are looked for"
        if not evidence.known:
            yield "", UNKNOWN if evidence.experiment is None else OF_ADAM
    for first in told[:1]:
        yield "shows", f"first in update {found.update:,}, in {', '.join(found.parameters)}"
        yield "because", f"{words(evidence, found, first)} ({predicts(first)})"
        if remedy := to_agree(evidence, first):
            yield "to agree", remedy
    for other in told[1:]:
        yield "or", f"{words(evidence, found, other)}: nothing that was recorded tells it from the first"


def so_far(evidence: Evidence, found: Diagnosis) -> str:
    """What follows from updates that are as they should be: of all of them, or of some."""
    if found.last >= evidence.comparison.last_update:
        return "that is no bug"
    return (
        f"no bug is seen up to update {found.last:,}; after it the runs are too far apart for the reference's gradients"
        " to be the candidate's (lockstep keeps them together)"
    )


def predicts(explanation: Explanation) -> str:
    """How well it does."""
    begin, end = explanation.updates or (0, 0)
    which = f"every update from {begin:,} to {end:,}" if begin < end else f"update {begin:,}"
    return f"predicts {which}, to {explanation.residual:.2g}"


HELD = (
    "differs in weights that L1 holds at 0 in the reference, so that its updates do not tell their gradients; let it"
    " record them (gradient:NAME)"
)
UNKNOWN = "more can be told if η, λ and the style are known: --experiment FILE, or the experiment in the trace's header"
OF_ADAM = "more can be told if the reference records its gradients: Adam's updates do not tell them"
NO_STATES = (
    "no two states that follow each other were recorded where the runs part, and are still near each other; record"
    " again, with window=(first, last) around it"
)
SIGN_EVENT = (
    "rounding had given a weight near zero another sign in one of the runs; from then on L1 pulls it the other way,"
    " and the runs stay apart by some steps of L1: that is no bug, either"
)


# what is said of a kind of change, "relative" where η and λ are not known; see `words` for what is filled in
SENTENCES = {
    "gradient": "the {side}'s gradient is that of {what}",
    "items": "the {side} is given {what}: one was {skipped_or_repeated}",
    "order": "from update {update:,} on, the {side} is given {what}",
    "recorded items": "the {side} is given other items: {what}",
    "start": "the {side} starts with {what}",
    "schedule of η": "the {side}'s η follows the schedule {what}",
    "schedule of λ": "the {side}'s λ follows the schedule {what}",
    "style": "the {side}'s L1 is {formula}; {asked} was asked for",
    "no L1": "the {side} has no L1; {asked} was asked for",
    "style and λ": "the {side}'s L1 is {formula}, with λ = {value:.4g}{factor}; {asked} was asked for",
    "L1 added": "the {side} adds L1: {formula}, λ = {value:.4g}",
    "L1, relative": "every update moves {what} by {amount:.4g} {more_or_less} toward zero than in the reference: L1 was"
    " added, is missing, or has another λ",
    "swapped": "the {side} has λ and λ₂ in each other's place",
    "λ": "the {side}'s λ is {value:.4g}{factor}",
    "penalised": "the {side}'s L1 is on {what}",
    "λ of each": "the {side}'s λ is {what}",
    "not trained": "the {side} does not train {what}",
    "η": "the {side}'s η is {value:.4g}{factor}",
    "η, relative": "the {side}'s η is {value:.4g} times the reference's",
    "L2, relative": "the {side} adds L2, {what}, η λ₂ = {value:.4g}",
    "clipping, relative": "the {side}'s updates are clipped: {what}",
    "loss": "the {side}'s loss is {value:.4g} times as large{factor}",
    "no L2": "the {side} has no L2",
    "λ₂": "the {side}'s λ₂ is {value:.4g}{factor}",
    "L2": "the {side} adds L2, {what}, λ₂ = {value:.4g}",
    "optimizer": "the {side}'s optimizer is {what}{beta}",
    "dampening": "the {side}'s optimizer is momentum with dampening {value:.4g}, β = {asked_beta:.4g}",
    "β": "the {side}'s β is {value:.4g}{factor}",
    "clipping": "the {side}'s gradients are clipped: {what}",
}


def words(evidence: Evidence, found: Diagnosis, explanation: Explanation) -> str:
    """The difference in a sentence."""
    change, value, base = explanation.change, explanation.value, evidence.base
    what = change.what
    asked = getattr(base, change.free) if change.free else 0.0
    since = f"from update {explanation.since:,} on, " if explanation.since else ""
    relative = f"{change.kind}, relative"
    sentence = SENTENCES[change.kind if evidence.known or relative not in SENTENCES else relative]
    return since + sentence.format(
        side=evidence.side,
        what=what.format(value=value) if change.kind == "clipping" else what,
        formula=f"{what}, {NAMED_STYLES[what].formula}" if what in NAMED_STYLES else what,
        asked=style_name(base),
        value=value,
        asked_beta=base.beta,
        amount=abs(value or 0.0),
        more_or_less="more" if (value or 0.0) > 0 else "less",
        beta="" if value is None else f", β = {value:.4g}",
        factor=factor(evidence, change.kind, value, asked),
        update=found.update,
        skipped_or_repeated={1: "skipped", -1: "repeated"}.get(AROUND.get(what, 0)),
    )


def style_name(base: UpdateRule) -> str:
    """The style's name."""
    return next(name for name, style in STYLES.items() if style is base.style)


def factor(evidence: Evidence, kind: str, value: float | None, asked: float) -> str:
    """What a number has been multiplied by, by its name where it has one."""
    if not value or not asked:
        return ""
    ratio, e = value / asked, evidence.experiment
    units = {"": 1.0}
    if kind == "η":
        e = None  # that η is η times what was asked for is an accident
    if e:
        weights = [o for o in evidence.comparison.parameters if o.pair.reference in evidence.base.penalised]
        units |= {"η": e.lr, "B": float(e.batch_size), "the number of weights": float(sum(o.elements for o in weights))}
    if e and e.optimizer == "momentum":
        units["(1 − β)"] = 1 - e.momentum
    if e and evidence.data:
        units["n"] = float(len(evidence.data.x_train))
    named = {"−1": -1.0}
    for count, words in ((1.0, ""), (2.0, "2"), (0.5, "½")):
        for unit, number in units.items():
            named |= {f"{words} {unit}".strip(): count * number, f"{words or 1} / {unit}": count / number}
    name = next((name for name, number in named.items() if abs(ratio / number - 1) < 1e-3), None)
    if asked == 1:
        return f", {name} times" if name and not name.strip("−").isnumeric() else ""
    return f", {name or f'{ratio:.4g}'.replace('-', '−')} times what was asked for"


def to_agree(evidence: Evidence, explanation: Explanation) -> str | None:
    """The λ with which the candidate's style would train as was asked for."""
    what, e = explanation.change.what, evidence.experiment
    if explanation.change.kind not in ("style", "style and λ") or what not in STYLES or e is None:
        return None
    found = translate_lamda(e, what)
    if found.kind == IMPOSSIBLE:
        return f"no λ does it: {found.reason}"
    return f"λ = {found.target.lamda:g} in the {evidence.side} ({found.kind}: {found.reason})"


def to_json(c: Comparison, evidence: Evidence | None, found: Diagnosis | None) -> dict[str, Any]:
    """The result file of `compare`."""
    return {
        "comparison": {
            "reference": str(c.reference.path),
            "candidate": str(c.candidate.path),
            "updates": c.updates,
            "parameters": len(c.parameters),
            "elements": c.elements,
            "exit_status": c.exit_status,
            "first_difference": c.first_difference and asdict(c.first_difference),
            "digests": c.digests,
            "parted": c.parted,
            "ulps": c.ulps,
            "least_ulps": c.least_ulps,
            "notes": c.notes,
            "vacuous": c.vacuous,
            "by_parameter": [
                {
                    "name": o.pair.reference,
                    "candidate": o.pair.candidate,
                    "elements": o.elements,
                    "differing": o.differing,
                    "largest_gap": o.largest_gap,
                    "first_update": o.first_update,
                    "moved": o.moved,
                }
                for o in c.parameters
            ],
        },
        "diagnosis": found
        and evidence
        and {
            "gradients": evidence.source,
            "side": evidence.side,
            "update": found.update,
            "parameters": list(found.parameters),
            "updates": found.updates,
            "sign_event": found.sign_event,
            "held": found.held,
            "explanations": [
                {
                    "kind": e.change.kind,
                    "what": e.change.what,
                    "value": e.value,
                    "residual": e.residual,
                    "updates": e.updates,
                    "since": e.since,
                    "words": words(evidence, found, e),
                }
                for e in found.explanations
            ],
        },
    }
