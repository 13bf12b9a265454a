"""The one name that users import: nothing is loaded before it is used, and torch only by what needs it.

Type checkers read the names in __init__.pyi.
"""

MODULES = {
    "STYLES": "torch_impl.l1",
    "Experiment": "reference.experiment",
    "Finding": "comparisons.diagnosis.finding",
    "InputError": "reference.errors",
    "Recorder": "comparisons.recorders.plain",
    "TrainingDiffersError": "comparisons.same_training",
    "assert_same_training": "comparisons.same_training",
    "attach": "torch_impl.l1",
    "compare": "comparisons.same_training",
    "open_trace": "comparisons.runs.trace",
    "record": "comparisons.recorders.pytorch",
    "sparsity": "torch_impl.groups",
    "split_parameters": "torch_impl.groups",
    "translate_lamda": "comparisons.lamda.translation",
    "with_penalty": "torch_impl.l1",
}
__all__ = list(MODULES)


def __getattr__(name: str) -> object:
    """Load what is asked for. Raises ImportError in a project whose own modules hide this package's."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from l1_parity.own_packages import load

    globals()[name] = found = getattr(load(MODULES[name]), name)
    return found


def __dir__() -> list[str]:
    return [*globals(), *__all__]
