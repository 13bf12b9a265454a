"""Record a Keras 3 model while it trains, whatever its backend: a callback.

    model.fit(x, y, callbacks=[TraceCallback("run.npz")])

Needs Keras: pip install 'l1-parity[keras]'.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from comparisons.recorders.plain import Recorder


class TraceCallback(keras.callbacks.Callback):
    """Every trainable variable at the start and after every batch, until training ends.

    A variable is called by its path within the model, joined by '.': dense.kernel. experiment, every, window and what
    is raised: as of Recorder. What an interrupted fit() leaves is made a trace when it is first opened.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        experiment: Mapping[str, Any] | None = None,
        every: int | None = None,
        window: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        framework = f"Keras {keras.__version__} on {keras.backend.backend()}"
        self.trace = Recorder(path, framework=framework, experiment=experiment, every=every, window=window)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """The start."""
        self.trace.update(arrays(self.model))

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """An update."""
        self.trace.update(arrays(self.model))

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """The trace is finished."""
        self.trace.close()


def arrays(model: Any) -> dict[str, np.ndarray]:
    """Every trainable variable by its path, without the model's own name, which counts models."""
    found = {}
    for variable in model.trainable_variables:
        path = variable.path.split("/")
        found[".".join(path[1:] if path[0] == model.name else path)] = keras.ops.convert_to_numpy(variable)
    return found
