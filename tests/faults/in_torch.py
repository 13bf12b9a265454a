"""Mistakes of a network that is written in PyTorch: one class each, with the one thing that is wrong in it."""

import torch
from torch import nn

from reference.experiment import draw


class Right:
    """The article's network: nn.Sequential, autograd of the squared error with an L1 penalty, torch.optim.SGD."""

    def __init__(self, experiment, data):
        self.e = experiment
        parameters, self.batches = draw(experiment, data)
        n_in, n_hidden, n_out = experiment.sizes
        self.model = nn.Sequential(nn.Linear(n_in, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_out)).double()
        self.load(parameters)
        self.optimizer = self.make_optimizer()

    def load(self, parameters):
        """The drawn parameters; torch keeps a weight as (fan out, fan in)."""
        with torch.no_grad():
            for layer, (W, b) in zip((self.model[0], self.model[2]), parameters, strict=True):
                layer.weight.copy_(torch.from_numpy(W.T))
                layer.bias.copy_(torch.from_numpy(b))

    def make_optimizer(self):
        """Plain SGD."""
        return torch.optim.SGD(self.model.parameters(), lr=self.e.lr)

    def weights(self):
        """What is penalised."""
        return [self.model[0].weight, self.model[2].weight]

    def data_loss(self, z, t):
        """½ Σ (o − t)², mean over the batch."""
        return 0.5 * ((torch.softmax(z, dim=1) - t) ** 2).sum(dim=1).mean()

    def penalty(self):
        """λ Σ|w|."""
        return self.e.lamda * sum(w.abs().sum() for w in self.weights())

    def update(self, x, t):
        """One update."""
        self.optimizer.zero_grad()
        (self.data_loss(self.model(x), t) + self.penalty()).backward()
        self.optimizer.step()

    def run(self):
        """The start, and the parameters after every update, rounded to float32."""
        yield self.arrays()
        for x, t in self.batches:
            self.update(torch.from_numpy(x), torch.from_numpy(t))
            with torch.no_grad():
                for p in self.model.parameters():
                    p.copy_(p.float())
            yield self.arrays()

    def arrays(self):
        """By the reference's names, with its axes."""
        first, last = self.model[0], self.model[2]
        found = {"W1": first.weight.T, "b1": first.bias, "W2": last.weight.T, "b2": last.bias}
        return {name: p.detach().numpy().copy() for name, p in found.items()}


class PenaltyWithoutAGraph(Right):
    """The penalty of w.data: a number without a gradient."""

    def penalty(self):
        return self.e.lamda * sum(w.data.abs().sum() for w in self.weights())


class MeanOfL1Loss(Right):
    """nn.L1Loss, which is a mean: λ over the number of elements."""

    def penalty(self):
        return self.e.lamda * sum(nn.functional.l1_loss(w, torch.zeros_like(w)) for w in self.weights())


class MeanOfAllWeights(Right):
    """λ times the mean of all |w|."""

    def penalty(self):
        return self.e.lamda * torch.cat([w.flatten() for w in self.weights()]).abs().mean()


class AllParameters(Right):
    """model.parameters(), biases among them."""

    def weights(self):
        return self.model.parameters()


class NormIsEuclidean(Right):
    """w.norm() is the Euclidean norm."""

    def penalty(self):
        return self.e.lamda * sum(w.norm() for w in self.weights())


class WeightDecayForL1(Right):
    """weight_decay, which is L2, in place of the penalty."""

    def make_optimizer(self):
        groups = [{"params": self.weights(), "weight_decay": self.e.lamda}, {"params": biases(self.model)}]
        return torch.optim.SGD(groups, lr=self.e.lr)

    def penalty(self):
        return 0.0


class WeightDecayBeside(Right):
    """weight_decay and the penalty, on every parameter."""

    def make_optimizer(self):
        return torch.optim.SGD(self.model.parameters(), lr=self.e.lr, weight_decay=0.01)


class PenaltyTwice(Right):
    """In the loss, and as a hook on the gradients."""

    def __init__(self, experiment, data):
        super().__init__(experiment, data)
        for w in self.weights():
            w.register_hook(lambda g, w=w: g + self.e.lamda * w.detach().sign())


class PenaltyForEveryItem(Right):
    """The penalty of a batch divided by its items."""

    def update(self, x, t):
        self.optimizer.zero_grad()
        (self.data_loss(self.model(x), t) + self.penalty() / len(x)).backward()
        self.optimizer.step()


class PenaltyPerItemSummed(Right):
    """Each item's loss gets the penalty, and their losses are summed, then divided for the data alone."""

    def update(self, x, t):
        self.optimizer.zero_grad()
        (self.data_loss(self.model(x), t) + len(x) * self.penalty()).backward()
        self.optimizer.step()


class SumOfTheBatch(Right):
    """reduction="sum"."""

    def data_loss(self, z, t):
        return 0.5 * ((torch.softmax(z, dim=1) - t) ** 2).sum()


class MseLoss(Right):
    """nn.MSELoss: a mean over items and classes, without ½."""

    def data_loss(self, z, t):
        return nn.functional.mse_loss(torch.softmax(z, dim=1), t)


class TackedOnByData(Right):
    """w.data −= λ sign w after the step."""

    def penalty(self):
        return 0.0

    def update(self, x, t):
        super().update(x, t)
        with torch.no_grad():
            for w in self.weights():
                w -= self.e.lamda * w.sign()


class ShrunkAfterTheStep(Right):
    """w.data −= η λ sign w after the step: the sign of the new weight."""

    def penalty(self):
        return 0.0

    def update(self, x, t):
        super().update(x, t)
        with torch.no_grad():
            for w in self.weights():
                w -= self.e.lr * self.e.lamda * w.sign()


class Momentum(Right):
    """momentum=0.9."""

    def make_optimizer(self):
        return torch.optim.SGD(self.model.parameters(), lr=self.e.lr, momentum=0.9)


class MomentumHalf(Right):
    """momentum=0.5."""

    def make_optimizer(self):
        return torch.optim.SGD(self.model.parameters(), lr=self.e.lr, momentum=0.5)


class Nesterov(Right):
    """nesterov=True."""

    def make_optimizer(self):
        return torch.optim.SGD(self.model.parameters(), lr=self.e.lr, momentum=0.9, nesterov=True)


class Dampening(Right):
    """dampening=0.9."""

    def make_optimizer(self):
        return torch.optim.SGD(self.model.parameters(), lr=self.e.lr, momentum=0.9, dampening=0.9)


class Adam(Right):
    """Adam."""

    def make_optimizer(self):
        return torch.optim.Adam(self.model.parameters(), lr=self.e.lr)


class AdamW(Right):
    """AdamW, whose weight decay is 0.01 unless it is told otherwise, biases too."""

    def make_optimizer(self):
        return torch.optim.AdamW(self.model.parameters(), lr=self.e.lr)


class ZeroGradMissing(Right):
    """Gradients add up."""

    def update(self, x, t):
        (self.data_loss(self.model(x), t) + self.penalty()).backward()
        self.optimizer.step()


class ClippedWithL1(Right):
    """clip_grad_norm_ of the whole gradient."""

    def update(self, x, t):
        self.optimizer.zero_grad()
        (self.data_loss(self.model(x), t) + self.penalty()).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 0.05)
        self.optimizer.step()


class ClippedBeforeL1(Right):
    """clip_grad_norm_, and then L1 is added to .grad."""

    def update(self, x, t):
        self.optimizer.zero_grad()
        self.data_loss(self.model(x), t).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 0.05)
        for w in self.weights():
            w.grad += self.e.lamda * w.detach().sign()
        self.optimizer.step()


class ClippedByValue(Right):
    """clip_grad_value_."""

    def update(self, x, t):
        self.optimizer.zero_grad()
        (self.data_loss(self.model(x), t) + self.penalty()).backward()
        nn.utils.clip_grad_value_(self.model.parameters(), 0.02)
        self.optimizer.step()


class ClippedOneByOne(Right):
    """clip_grad_norm_ of each parameter, which is what Keras' clipnorm does."""

    def update(self, x, t):
        self.optimizer.zero_grad()
        (self.data_loss(self.model(x), t) + self.penalty()).backward()
        for p in self.model.parameters():
            nn.utils.clip_grad_norm_([p], 0.03)
        self.optimizer.step()


class LastBatchDropped(Right):
    """drop_last=True: the batch that is left over at the end of an epoch is not learnt from."""

    def __init__(self, experiment, data):
        super().__init__(experiment, data)
        self.batches = ((x, t) for x, t in self.batches if len(x) == experiment.batch_size)


class LoaderShuffles(Right):
    """A DataLoader of the same seed shuffles with a generator of its own."""

    def __init__(self, experiment, data):
        super().__init__(experiment, data)
        items = torch.utils.data.TensorDataset(torch.from_numpy(data.x_train), torch.from_numpy(data.t_train))
        generator = torch.Generator().manual_seed(experiment.seed)
        loader = torch.utils.data.DataLoader(items, experiment.batch_size, shuffle=True, generator=generator)
        self.batches = ((x.numpy(), t.numpy()) for _ in range(experiment.epochs) for x, t in loader)


class StepLR(Right):
    """A tenth of η after the first epoch."""

    def make_optimizer(self):
        optimizer = super().make_optimizer()
        self.schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=200, gamma=0.1)
        return optimizer

    def update(self, x, t):
        super().update(x, t)
        self.schedule.step()


class FrozenLater(Right):
    """The first layer is frozen after the first epoch."""

    updates = 0

    def update(self, x, t):
        self.model[0].requires_grad_(self.updates < 200)
        self.updates += 1
        super().update(x, t)


class NesterovForMomentum(Right):
    """nesterov=True, where momentum was asked for."""

    def make_optimizer(self):
        return torch.optim.SGD(self.model.parameters(), lr=self.e.lr, momentum=0.9, nesterov=True)


class DampenedMomentum(Right):
    """dampening=0.5, where momentum was asked for."""

    def make_optimizer(self):
        return torch.optim.SGD(self.model.parameters(), lr=self.e.lr, momentum=0.9, dampening=0.5)


class AnotherMomentum(Right):
    """momentum=0.99, where 0.9 was asked for."""

    def make_optimizer(self):
        return torch.optim.SGD(self.model.parameters(), lr=self.e.lr, momentum=0.99)


class AdamWForAdam(Right):
    """AdamW with a weight decay of 0.05, where Adam was asked for."""

    def make_optimizer(self):
        return torch.optim.AdamW(self.model.parameters(), lr=self.e.lr, weight_decay=0.05)


class RMSpropForAdam(Right):
    """RMSprop, where Adam was asked for."""

    def make_optimizer(self):
        return torch.optim.RMSprop(self.model.parameters(), lr=self.e.lr)


class CrossEntropy(Right):
    """nn.CrossEntropyLoss."""

    def data_loss(self, z, t):
        return nn.functional.cross_entropy(z, t)


class LayerNotInTheOptimizer(Right):
    """The output layer was added later, and the optimizer does not know it."""

    def make_optimizer(self):
        return torch.optim.SGD(self.model[0].parameters(), lr=self.e.lr)


class BiasesFrozen(Right):
    """requires_grad_(False)."""

    def make_optimizer(self):
        for b in biases(self.model):
            b.requires_grad_(False)
        return super().make_optimizer()


class DefaultStart(Right):
    """The start of nn.Linear."""

    def load(self, parameters):
        torch.manual_seed(0)
        for layer in (self.model[0], self.model[2]):
            layer.reset_parameters()
        with torch.no_grad():
            for p in self.model.parameters():
                p.copy_(p.float())


class Transposed(Right):
    """Square weights are loaded without .T: no error says so."""

    def load(self, parameters):
        with torch.no_grad():
            for layer, (W, b) in zip((self.model[0], self.model[2]), parameters, strict=True):
                layer.weight.copy_(torch.from_numpy(W if W.shape[0] == W.shape[1] else W.T))
                layer.bias.copy_(torch.from_numpy(b))


class Float32(Right):
    """The same in float32: no mistake, but other roundings."""

    def __init__(self, experiment, data):
        super().__init__(experiment, data)
        self.model.float()
        self.optimizer = self.make_optimizer()

    def update(self, x, t):
        super().update(x.float(), t.float())


class Softshrink(Right):
    """softshrink after the step."""

    def penalty(self):
        return 0.0

    def update(self, x, t):
        super().update(x, t)
        with torch.no_grad():
            for w in self.weights():
                w.copy_(nn.functional.softshrink(w, self.e.lr * self.e.lamda))


class StaleRate(Right):
    """Decoupled L1 with the η that training began with, under a schedule of η."""

    def make_optimizer(self):
        optimizer = super().make_optimizer()
        self.schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda updates: 1 / (1 + updates / 10_000))
        return optimizer

    def penalty(self):
        return 0.0

    def update(self, x, t):
        signs = [w.detach().sign() for w in self.weights()]
        super().update(x, t)
        self.schedule.step()
        with torch.no_grad():
            for w, sign in zip(self.weights(), signs, strict=True):
                w -= self.e.lr * self.e.lamda * sign


def biases(model):
    """All of them."""
    return [p for name, p in model.named_parameters() if name.endswith("bias")]
