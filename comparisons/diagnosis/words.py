"""A diagnosis in sentences."""

import math
from collections.abc import Iterator

from comparisons.diagnosis.evidence import Evidence
from comparisons.diagnosis.forms import OTHER_BATCHES
from comparisons.diagnosis.hypotheses import Explanation
from comparisons.diagnosis.other_formulas import LIMIT
from comparisons.diagnosis.rounding import Rounding
from comparisons.diagnosis.search import Diagnosis
from comparisons.lamda.translation import IMPOSSIBLE, translate_lamda
from reference.l1 import STYLES

UNDETERMINED = (
    "differs in weights that L1 holds at 0 in the reference, so that its updates do not show their gradients; let the"
    " reference record them (gradient:NAME)"
)
UNKNOWN = "more can be told if η, λ and the style are known: --experiment FILE, or the experiment in the trace's header"
NORMALISED = "more can be told if the reference records its gradients: Adam's updates do not show them"
NO_STATES = (
    "no two states that follow each other were recorded where the runs part, and are still near each other; record"
    " again, with window=(first, last) around it"
)
SIGN_EVENT = (
    "rounding had given a weight near zero another sign in one of the runs; from then on L1 pulls it the other way,"
    " and the runs stay apart by some steps of L1: that is rounding, too"
)
BESIDE_UPDATES = ("start", "recorded items")  # keys of what is said beside what explains the updates


def because(evidence: Evidence, found: Diagnosis, rounding: Rounding | None) -> Iterator[tuple[str, str]]:
    """The diagnosis as lines of a report: a label and words. rounding: where no explanation was found."""
    yield "gradients", evidence.source
    before = [e for e in found.explanations if e.key in BESIDE_UPDATES]
    told = found.explanations[len(before) :]
    for explanation in before:
        yield "because", sentence(evidence, found, explanation)
    if found.window.looked_at == 0:
        if not before:
            yield "because", f"not known: {NO_STATES}"
    elif rounding and rounding.alone and not rounding.untold:
        share = f"to {100 * rounding.share:.2g} % of an update of {rounding.parameter} at most"
        verdict = ": that is no bug" if rounding.negligible else "; a fault that does less than that cannot be seen"
        explains = f"{arithmetic(evidence, found)} explains each of the {rounding.updates:,} updates, {share}"
        yield "because", explains + verdict
        if rounding.below:
            yield "", f"{', '.join(rounding.below)} moves by rounding alone, beside the others: it is not judged"
        if found.window.sign_event:
            yield "", f"before update {found.window.sign_event:,} {SIGN_EVENT}"
    elif found.update is None and found.window.undetermined:
        yield "because", f"not known: update {found.window.undetermined:,} {UNDETERMINED}"
    elif found.update is None and before:
        yield "because", f"apart from that, {within_rounding(evidence, found)}"
    elif found.update is None:
        fault = f"; {rounding.fault or rounding.untold}" if rounding else ""
        yield "because", f"not known: {within_rounding(evidence, found)}{fault}"
    elif not told and not any(e.key == "recorded items" for e in before):
        where = f"update {found.update:,} of {', '.join(found.parameters)}"
        parted = evidence.comparison.first_difference
        if parted and not math.isfinite(parted.candidate):
            where = f"the candidate is not finite there; {where}"
        yield "because", f"not known: {where} fits none of the differences that are looked for"
        if not evidence.rates_known:
            yield "", UNKNOWN if evidence.experiment is None else NORMALISED
    for best in told[:1]:
        yield "shows", f"first in update {found.update:,}, in {', '.join(found.parameters)}"
        begin, end = best.updates or (0, 0)
        which = f"every update from {begin:,} to {end:,}" if begin < end else f"update {begin:,}"
        yield "because", f"{sentence(evidence, found, best)} (predicts {which}, to {best.residual:.2g})"
        yield from to_agree(evidence, best)
    for other in told[1:]:
        yield "or", f"{sentence(evidence, found, other)}: the recording cannot tell this from the first"


def arithmetic(evidence: Evidence, found: Diagnosis) -> str:
    """What makes the small gaps."""
    return "arithmetic in float32" if found.window.float32_arithmetic and evidence.rounded else "rounding alone"


def within_rounding(evidence: Evidence, found: Diagnosis) -> str:
    """The gaps of all updates that were looked at are as small as rounding makes them, beside the weights."""
    every = f"each of the {found.window.looked_at:,} updates" if found.window.looked_at > 1 else "the one update"
    within = f"is within what {arithmetic(evidence, found)} makes of the weights, to {found.window.residual:.2g}"
    return f"{every} that could be looked at {within}"


def sentence(evidence: Evidence, found: Diagnosis, explanation: Explanation) -> str:
    """The row's sentence, with its braces filled in."""
    variant, value, base = explanation.variant, explanation.value, evidence.base
    template = variant.sentence or explanation.hypothesis.sentence
    if not evidence.rates_known:
        template = explanation.hypothesis.without_rates or template
    since = f"from update {explanation.since:,} on, " if explanation.since else ""
    return since + template.format(
        side=evidence.side,
        words=variant.words if value is None else variant.words.replace(LIMIT, f"{value:.4g}"),
        formula=variant.rule.style.formula,
        asked_style=next(name for name, style in STYLES.items() if style is base.style),
        value=value,
        factor=factor(evidence, explanation),
        beta="" if value is None else f", β = {value:.4g}",
        asked_beta=base.beta,
        amount=abs(value or 0.0),
        more_or_less="more" if (value or 0.0) > 0 else "less",
        update=found.update,
        happened=OTHER_BATCHES.get(variant.words, (0, ""))[1],
    )


def factor(evidence: Evidence, explanation: Explanation) -> str:
    """What the number that was asked for has been multiplied by: η, 1 / B, 1 / n, … where it is one of these."""
    number, value, base = explanation.number, explanation.value, evidence.base
    asked = getattr(base, number) if number else 0.0
    if not value or not asked:
        return ""
    ratio = value / asked
    named = {"−1": -1.0}
    for count, words in ((1.0, ""), (2.0, "2"), (0.5, "½")):
        for unit, size in units(evidence, number).items():
            named |= {f"{words} {unit}".strip(): count * size, f"{words or 1} / {unit}": count / size}
    name = next((name for name, size in named.items() if abs(ratio / size - 1) < 1e-3), None)
    if number == "scale":  # of the loss, for which nothing was asked: that it is so many times as large is said already
        return f", {name} times" if name and not name.strip("−").isnumeric() else ""
    return f", {name or f'{ratio:.4g}'.replace('-', '−')} times what was asked for"


def units(evidence: Evidence, number: str) -> dict[str, float]:
    """The numbers of the experiment that people multiply or divide by, wrongly."""
    found, e = {"": 1.0}, evidence.experiment
    if e is None or number == "lr":  # an η that is η times what was asked for is an accident
        return found
    weights = [p.elements for p in evidence.comparison.parameters if p.pair.reference in evidence.base.penalised]
    found |= {"η": e.lr, "B": float(e.batch_size)} | ({"the number of weights": float(sum(weights))} if weights else {})
    if evidence.base.optimizer.accumulates:
        found["(1 − β)"] = 1 - e.momentum
    if evidence.data:
        found["n"] = float(len(evidence.data.x_train))
    return found


def to_agree(evidence: Evidence, explanation: Explanation) -> Iterator[tuple[str, str]]:
    """The λ with which the candidate's style would train as was asked for, if another λ could."""
    name, e = explanation.variant.words, evidence.experiment
    if explanation.hypothesis.has_lamda and name in STYLES and e is not None:
        found = translate_lamda(e, name)
        exact = f"λ = {found.target.lamda:g} in the {evidence.side} ({found.kind}: {found.reason})"
        yield "to agree", f"no λ does it: {found.reason}" if found.kind == IMPOSSIBLE else exact
