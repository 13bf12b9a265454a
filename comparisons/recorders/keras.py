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

    A variable's name is its path within the model, joined by '.': dense.kernel. experiment, every, window and what
    is raised: see Recorder. If fit() is interrupted, the trace is made when it is first opened.
    """

    def __init__(
        self, path: str | Path, *, experiment: Facts = None, every: int | None = None, window: FirstAndLast = None
    ) -> None:
        super().__init__()
        framework = f"Keras {keras.__version__} on {keras.backend.backend()}"
        self.trace = Recorder(path, framework=framework, experiment=experiment, every=every, window=window)

    def on_train_begin(self, logs: Facts = None) -> None:
        """The start."""
        self.trace.update(arrays(self.model))

    def on_train_batch_end(self, batch: int, logs: Facts = None) -> None:
        """An update."""
        self.trace.update(arrays(self.model))

    def on_train_end(self, logs: Facts = None) -> None:
        """The trace is finished."""
        self.trace.close()


def arrays(model: Any) -> dict[str, np.ndarray]:
    """Every trainable variable by its path, without the model's own name (sequential_3), which differs between runs."""
    own = f"{model.name}/"
    return {
        v.path.removeprefix(own).replace("/", "."): keras.ops.convert_to_numpy(v) for v in model.trainable_variables
    }
