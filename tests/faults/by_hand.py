"""Mistakes of a network that is written in NumPy: one class each, with the one thing that is wrong in it."""

import numpy as np

from reference.experiment import draw


class Right:
    """The article's network and plain SGD with an L1 penalty, one loop, as in a notebook."""

    def __init__(self, experiment, data):
        self.e, self.data, self.updates = experiment, data, 0
        ((self.W1, self.b1), (self.W2, self.b2)), self._batches = draw(experiment, data)

    def batches(self):
        """What is learnt from, in order."""
        return self._batches

    def forward(self, x):
        """Hidden units and outputs."""
        h = np.tanh(x @ self.W1 + self.b1)
        z = h @ self.W2 + self.b2
        exps = np.exp(z - z.max(axis=1, keepdims=True))
        return h, exps / exps.sum(axis=1, keepdims=True)

    def output_signal(self, o, t):
        """∂E/∂z of the squared error."""
        d = o - t
        return o * (d - (o * d).sum(axis=1, keepdims=True)) / len(o)

    def gradients(self, x, t):
        """Of the data loss."""
        h, o = self.forward(x)
        signal = self.output_signal(o, t)
        hidden = signal @ self.W2.T * (1 - h * h)
        return {"W1": x.T @ hidden, "b1": hidden.sum(axis=0), "W2": h.T @ signal, "b2": signal.sum(axis=0)}

    def penalty(self, name, w):
        """What L1 adds to a gradient."""
        return self.e.lamda * np.sign(w) if name[0] == "W" else 0.0

    def step(self, name, w, g):
        """The parameter after the step."""
        return w - self.e.lr * (g + self.penalty(name, w))

    def update(self, x, t):
        """One update."""
        for name, g in self.gradients(x, t).items():
            setattr(self, name, self.step(name, getattr(self, name), g))

    def run(self):
        """The start, and the parameters after every update, rounded to float32."""
        yield self.arrays()
        for x, t in self.batches():
            self.updates += 1
            self.update(x, t)
            for name, w in self.arrays().items():
                setattr(self, name, w.astype(np.float32).astype(np.float64))
            yield self.arrays()

    def arrays(self):
        """By name."""
        return {name: getattr(self, name).copy() for name in ("W1", "b1", "W2", "b2")}


class BiasesPenalised(Right):
    """L1 on every parameter."""

    def penalty(self, name, w):
        return self.e.lamda * np.sign(w)


class SignReversed(Right):
    """−λ sign w: the article's listing."""

    def penalty(self, name, w):
        return -super().penalty(name, w)


class OnlyTheFirstLayer(Right):
    """The output weights are forgotten."""

    def penalty(self, name, w):
        return super().penalty(name, w) if name == "W1" else 0.0


class OnlyTheLastLayer(Right):
    """The hidden weights are forgotten."""

    def penalty(self, name, w):
        return super().penalty(name, w) if name == "W2" else 0.0


class Squared(Right):
    """λ w: L2 under the name of L1."""

    def penalty(self, name, w):
        return self.e.lamda * w if name[0] == "W" else 0.0


class SquaredWithoutHalf(Right):
    """2 λ w: the derivative of λ w²."""

    def penalty(self, name, w):
        return 2 * self.e.lamda * w if name[0] == "W" else 0.0


class ElasticNet(Right):
    """λ sign w + 0.01 w."""

    def penalty(self, name, w):
        return super().penalty(name, w) + (0.01 * w if name[0] == "W" else 0.0)


class Halved(Right):
    """½ λ."""

    def penalty(self, name, w):
        return 0.5 * super().penalty(name, w)


class SignOfZeroIsOne(Right):
    """if w >= 0: +λ, else −λ. The first input is dead, and its weights are pruned."""

    def penalty(self, name, w):
        return self.e.lamda * np.where(w >= 0, 1.0, -1.0) if name[0] == "W" else 0.0


class TackedOn(Right):
    """−λ sign w after the step, without η: the article's alternative with the λ of the penalty."""

    def step(self, name, w, g):
        return w - self.e.lr * g - (self.e.lamda * np.sign(w) if name[0] == "W" else 0.0)


class SignAfterTheStep(Right):
    """The step first, then the sign of what it made."""

    def step(self, name, w, g):
        v = w - self.e.lr * g
        return v - (self.e.lr * self.e.lamda * np.sign(v) if name[0] == "W" else 0.0)


class TackedOnAfter(Right):
    """The same without η."""

    def step(self, name, w, g):
        v = w - self.e.lr * g
        return v - (self.e.lamda * np.sign(v) if name[0] == "W" else 0.0)


class Proximal(Right):
    """A soft threshold."""

    def step(self, name, w, g):
        v = w - self.e.lr * g
        t = self.e.lr * self.e.lamda
        return np.sign(v) * np.maximum(np.abs(v) - t, 0.0) if name[0] == "W" else v


class ThresholdUnscaled(Right):
    """A soft threshold of λ."""

    def step(self, name, w, g):
        v = w - self.e.lr * g
        return np.sign(v) * np.maximum(np.abs(v) - self.e.lamda, 0.0) if name[0] == "W" else v


class Clipped(Right):
    """A weight that L1 pushes across zero stops there."""

    def step(self, name, w, g):
        v = w - self.e.lr * g
        after = v - self.e.lr * self.e.lamda * np.sign(w)
        return np.where(np.sign(after) == np.sign(v), after, 0.0) if name[0] == "W" else v


class Cumulative(Right):
    """Tsuruoka's cumulative penalty."""

    def __init__(self, experiment, data):
        super().__init__(experiment, data)
        self.due, self.received = 0.0, {"W1": 0.0, "W2": 0.0}

    def update(self, x, t):
        self.due += self.e.lr * self.e.lamda
        super().update(x, t)

    def step(self, name, w, g):
        v = w - self.e.lr * g
        if name[0] == "b":
            return v
        q = self.received[name]
        after = np.where(
            v > 0, np.maximum(0, v - (self.due + q)), np.where(v < 0, np.minimum(0, v + (self.due - q)), v)
        )
        self.received[name] = q + (after - v)
        return after


class Diagonal(Right):
    """The soft-max derivative is o (1 − o) alone."""

    def output_signal(self, o, t):
        return (o - t) * o * (1 - o) / len(o)


class CrossEntropy(Right):
    """The signal of cross-entropy, o − t."""

    def output_signal(self, o, t):
        return (o - t) / len(o)


class HalfMissing(Right):
    """E = Σ (o − t)²."""

    def output_signal(self, o, t):
        return 2 * super().output_signal(o, t)


class Summed(Right):
    """The sum over the batch in place of its mean."""

    def output_signal(self, o, t):
        return super().output_signal(o, t) * len(o)


class BackThroughTheNewWeights(Right):
    """The output weights are updated before the error goes back through them."""

    def gradients(self, x, t):
        h, o = self.forward(x)
        signal = self.output_signal(o, t)
        new = self.step("W2", self.W2, h.T @ signal)
        hidden = signal @ new.T * (1 - h * h)
        return {"W1": x.T @ hidden, "b1": hidden.sum(axis=0), "W2": h.T @ signal, "b2": signal.sum(axis=0)}


class BiasesForgotten(Right):
    """Biases stay as they were drawn."""

    def step(self, name, w, g):
        return w if name[0] == "b" else super().step(name, w, g)


class TenTimesTheRate(Right):
    """η = 0.1."""

    def step(self, name, w, g):
        return w - 10 * self.e.lr * (g + self.penalty(name, w))


class OneSkipped(Right):
    """The tenth batch is lost."""

    def batches(self):
        return (batch for number, batch in enumerate(self._batches, start=1) if number != 10)


class OneRepeated(Right):
    """The tenth batch comes twice."""

    def batches(self):
        for number, batch in enumerate(self._batches, start=1):
            yield batch
            if number == 10:
                yield batch


class NotShuffled(Right):
    """In the order of the file."""

    def batches(self):
        for _ in range(self.e.epochs):
            for i in range(len(self.data.x_train)):
                yield self.data.x_train[i : i + 1], self.data.t_train[i : i + 1]


class ShuffledAfresh(Right):
    """Every epoch shuffles the file's order, not that of the epoch before."""

    def batches(self):
        import random

        rnd = random.Random(self.e.seed)
        for W in (self.W1, self.b1, self.W2, self.b2):
            for _ in range(W.size):
                rnd.random()
        for _ in range(self.e.epochs):
            order = list(range(len(self.data.x_train)))
            rnd.shuffle(order)
            for i in order:
                yield self.data.x_train[i : i + 1], self.data.t_train[i : i + 1]


class LamdaDividedByItems(Right):
    """λ / n, n being all training items."""

    def penalty(self, name, w):
        return super().penalty(name, w) / len(self.data.x_train)


class CoefficientsSwapped(Right):
    """λ and λ₂ in each other's place."""

    def penalty(self, name, w):
        return self.e.l2 * np.sign(w) + self.e.lamda * w if name[0] == "W" else 0.0


class ShrunkBeforeTheForwardPass(Right):
    """w −= η λ sign w first, and then the gradient of the new weights."""

    def penalty(self, name, w):
        return 0.0

    def update(self, x, t):
        for name in ("W1", "W2"):
            w = getattr(self, name)
            setattr(self, name, w - self.e.lr * self.e.lamda * np.sign(w))
        super().update(x, t)


class WarmedUp(Right):
    """Ten times λ after the first epoch."""

    def penalty(self, name, w):
        return (10 if self.updates > 200 else 1) * super().penalty(name, w)


class MomentumOfTheDataAlone(Right):
    """m⁺ = β m + g, and L1 beside it."""

    def __init__(self, experiment, data):
        super().__init__(experiment, data)
        self.m = {name: 0.0 for name in self.arrays()}

    def step(self, name, w, g):
        self.m[name] = self.e.momentum * self.m[name] + g
        return w - self.e.lr * (self.m[name] + self.penalty(name, w))


class KerasEpsilon(Right):
    """Adam as Keras has it: ε = 1e-7."""

    epsilon, corrected = 1e-7, True

    def __init__(self, experiment, data):
        super().__init__(experiment, data)
        self.m, self.s = ({name: 0.0 for name in self.arrays()} for _ in "ms")

    def step(self, name, w, g):
        g = g + self.penalty(name, w)
        self.m[name] = 0.9 * self.m[name] + 0.1 * g
        self.s[name] = 0.999 * self.s[name] + 0.001 * g * g
        of_m, of_s = (1 - 0.9**self.updates, 1 - 0.999**self.updates) if self.corrected else (1.0, 1.0)
        return w - self.e.lr * (self.m[name] / of_m) / (np.sqrt(self.s[name] / of_s) + self.epsilon)


class AdamUncorrected(KerasEpsilon):
    """Adam without the division by 1 − βᵗ."""

    epsilon, corrected = 1e-8, False


class WiderStart(Right):
    """Initial weights from (−0.1, 0.1)."""

    def __init__(self, experiment, data):
        super().__init__(experiment, data)
        self.W1, self.b1, self.W2, self.b2 = (10 * w for w in (self.W1, self.b1, self.W2, self.b2))


class BiasesStartAtZero(Right):
    """As most libraries have it."""

    def __init__(self, experiment, data):
        super().__init__(experiment, data)
        self.b1, self.b2 = np.zeros_like(self.b1), np.zeros_like(self.b2)
