"""Record what a JAX program trains: pytrees of parameters, as Flax and optax have them.

    with Recorder("run.npz", framework=framework()) as trace:
        trace.update(named(parameters))
        for batch in batches:
            parameters, state = step(parameters, state, batch)
            trace.update(named(parameters))

Needs JAX: pip install 'l1-parity[jax]'.
"""

from typing import Any

import jax
import numpy as np


def framework() -> str:
    """What a trace says of where it was recorded."""
    return f"JAX {jax.__version__} on {jax.default_backend()}"


def named(tree: Any) -> dict[str, np.ndarray]:
    """The leaves of a pytree by their paths, joined by '.': params.Dense_0.kernel."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {".".join(part(key) for key in path): np.asarray(leaf) for path, leaf in leaves}


def part(key: Any) -> str:
    """A key of a path: of a dict, a list, or an attribute."""
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)
