"""Record a JAX program while it trains: pytrees of parameters, as Flax and optax have them.

    with Recorder("run.npz", framework=framework()) as trace:
        trace.update(named(parameters))
        for batch in batches:
            parameters, state = step(parameters, state, batch)
            trace.update(named(parameters))

Needs JAX.
"""

from typing import Any

import jax
import numpy as np


def framework() -> str:
    """JAX, its version and its backend, for the header of a trace."""
    return f"JAX {jax.__version__} on {jax.default_backend()}"


def named(tree: Any) -> dict[str, np.ndarray]:
    """The leaves of a pytree by their paths, joined by '.': params.Dense_0.kernel."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(leaf) for path, leaf in leaves}
