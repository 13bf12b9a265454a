"""The λ to use, how well it agrees, why, and the proof."""

from dataclasses import asdict
from typing import Any

from comparisons.lamda.proof import Proof
from comparisons.lamda.translation import EXACT, IMPOSSIBLE, Translation
from comparisons.tables.terminal import console, wrapped
from reference.experiment import rates

COUNTS = ("updates", "parameters", "differing", "updates_apart")  # of an agreement, in the result file
SHOWN = (1, 1_000, 10_000, 100_000)  # updates at which a λ that follows a schedule is printed


def print_table(found: Translation, to_value: float, unit: str, proof: Proof | None) -> None:
    """Print the translation; to_value is λ' in the unit that was asked for."""
    source, target = found.source, found.target
    out = console()
    out.print(f"{source.style}, λ = {source.lamda:g}  →  {target.style}: {found.kind}\n")
    if found.kind == IMPOSSIBLE:
        out.print(f"There is no λ' for it. The nearest is {unit} {to_value:g}.")
    else:
        lr = f", η' = {target.lr:g}" if target.lr != source.lr else ""
        reduction = f", the {target.reduction} over the batch" if target.reduction != source.reduction else ""
        out.print(f"use {unit} {to_value:g}{lr}{reduction}   ({found.formula})")
    if target.lamda_schedule != source.lamda_schedule:
        steps = ", ".join(f"{rates(target, update - 1)[1]:.6g} at update {update:,}" for update in SHOWN)
        out.print(wrapped(f"λ' follows the schedule {target.lamda_schedule}: {steps}."))
    if target.l2:
        out.print(f"λ₂ = {target.l2:g}, beside ½ Σw².")
    out.print()
    out.print(wrapped(f"{found.kind.capitalize()}: {found.reason}."))
    if proof:
        out.print(f"\n{wrapped(verdict(found, proof))}")


def verdict(found: Translation, proof: Proof) -> str:
    """What training both showed."""
    agreement, (one, other) = proof.agreement, proof.sum_abs
    told = f"{found.source.style} in NumPy, {found.target.style} in PyTorch, {agreement.updates:,} updates each"
    counted = f"{agreement.differing} of {agreement.parameters} parameters differ at the end"
    first = agreement.first_difference
    if not agreement.moved:
        return f"NOTHING COMPARED ({told}): no update, or none that moved a parameter."
    if agreement.not_finite is not None:
        return (
            f"NOTHING PROVED ({told}): after update {agreement.not_finite:,} a value is NaN or infinite on both sides."
        )
    if proof.no_effect:
        return f"NOTHING PROVED ({told}): λ = {found.source.lamda:g} has no effect, the updates are those without L1."
    if first is None:
        return f"Proved ({told}): {counted}, and none after any update."
    word = ("Proved" if agreement.differing == 0 else "NOT PROVED") if found.kind == EXACT else "Measured"
    return (
        f"{word} ({told}): equal before update {first.update:,}, where {first.parameter}{first.index} is"
        f" {first.reference!r} and {first.candidate!r}; {counted}, the largest by {proof.agreement.largest_gap:.3g};"
        f" Σ|w| ends at {one:.4f} and {other:.4f}."
    )


def to_json(found: Translation, to_value: float, unit: str, proof: Proof | None) -> dict[str, Any]:
    """The result file of `lamda`."""
    formula = None if found.kind == IMPOSSIBLE else found.formula
    said = {"kind": found.kind, "unit": unit, "value": to_value, "formula": formula, "reason": found.reason}
    translation = {"from": asdict(found.source), "to": asdict(found.target), **said}
    if proof is None:
        return {"translation": translation, "proof": None}
    agreement, first = proof.agreement, proof.agreement.first_difference
    counts = {name: getattr(agreement, name) for name in COUNTS}
    gaps = {"first_difference": first and asdict(first), "largest_gap": agreement.largest_gap}
    return {"translation": translation, "proof": {**counts, **gaps, "sum_abs": list(proof.sum_abs)}}
