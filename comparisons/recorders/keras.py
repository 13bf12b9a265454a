"""Record a Keras 3 model while it trains, with any backend: a callback.

    model.fit(x, y, callbacks=[TraceCallback("run.npz")])

Needs Keras.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from comparisons.recorders.plain import Facts, FirstAndLast, Recorder


class TraceCallback(keras.callbacks.Callback):
    """Every trainable variable at the start and after every batch, until training ends.

    Weights that are not trained, such as BatchNorm's moving means, are recorded as buffers. A name is a variable's
    path within the model, joined by '.': dense.kernel. experiment, every, window, overwrite, and what is raised: see
    Recorder.
    If fit() is interrupted, close() of the attribute `trace` makes the trace, and so does opening it later.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        experiment: Facts = None,
        every: int | None = None,
        window: FirstAndLast = None,
        overwrite: bool = False,
    ) -> None:
        super().__init__()
        self.trace = Recorder(
            path,
            framework=f"Keras {keras.__version__} on {keras.backend.backend()}",
            experiment=experiment,
            every=every,
            window=window,
            overwrite=overwrite,
        )

    def on_train_begin(self, logs: Facts = None) -> None:
        """The start."""
        self._record()

    def on_train_batch_end(self, batch: int, logs: Facts = None) -> None:
        """An update."""
        self._record()

    def on_train_end(self, logs: Facts = None) -> None:
        """The trace is finished."""
        self.trace.close()

    def _record(self) -> None:
        model = self.model
        self.trace.update(arrays(model, model.trainable_variables), buffers=arrays(model, model.non_trainable_weights))


def arrays(model: Any, variables: list[Any]) -> dict[str, np.ndarray]:
    """Each variable by its path, without the model's own name (sequential_3), which differs between runs."""
    own = f"{model.name}/"
    return {v.path.removeprefix(own).replace("/", "."): keras.ops.convert_to_numpy(v) for v in variables}
