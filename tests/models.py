"""Models and optimizers to train with the hooks of torch_impl, each beside a twin that is trained by formula.

The model trains with the hooks. The twin has a stock optimizer, and the reference's formula is applied to its arrays by
NumPy: the bits of both must be the same.
"""

import copy
from functools import partial

import numpy as np
import torch
from torch import nn

import reference.l1
from torch_impl.l1 import STYLES, attach, with_penalty

FORMULAS = reference.l1.STYLES
IN_LOSS = [name for name, row in STYLES.items() if row.in_loss]
AROUND_STEP = [name for name, row in STYLES.items() if row.around_step]

OPTIMIZERS = {
    "SGD": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "RMSprop": torch.optim.RMSprop,
}
VARIANTS = {
    "SGD foreach": partial(torch.optim.SGD, momentum=0.9, foreach=True),
    "SGD fused": partial(torch.optim.SGD, momentum=0.9, fused=True),
    "Adam foreach": partial(torch.optim.Adam, foreach=True),
    "Adam fused": partial(torch.optim.Adam, fused=True),
    "SGD, lr a tensor": lambda groups, lr: torch.optim.SGD(groups, lr=torch.tensor(lr)),
    "Adam, lr a tensor": lambda groups, lr: torch.optim.Adam(groups, lr=torch.tensor(lr)),
}


def small_cnn():
    """A convolution, batch norm, a linear layer."""
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 3))


# how it is made, the shape of its input, its output
MODELS = {
    "linear": (partial(nn.Linear, 3, 2), (4, 3), lambda model, x: model(x)),
    "CNN": (small_cnn, (4, 1, 5, 5), lambda model, x: model(x)),
    "LSTM": (partial(nn.LSTM, 3, 5), (4, 2, 3), lambda model, x: model(x)[0]),
    "transformer": (partial(nn.TransformerEncoderLayer, 6, 2, 5, dropout=0.0), (4, 2, 6), lambda model, x: model(x)),
    "attention": (partial(nn.MultiheadAttention, 6, 2), (4, 2, 6), lambda model, x: model(x, x, x)[0]),
}


def penalised(optimizer):
    """(w, its group) of every parameter whose group has lamda and that has a gradient."""
    groups = [group for group in optimizer.param_groups if "lamda" in group]
    return [(w, group) for group in groups for w in group["params"] if w.requires_grad and w.grad is not None]


def formula_in_loss(style, optimizer):
    """Σ c·w with the constants c = the formula's term of the gradient, 0 + λ sign w, by NumPy; 0.0 if it has none."""
    on_gradient = FORMULAS[style].on_gradient
    if on_gradient is None:
        return 0.0
    groups = [group for group in optimizer.param_groups if "lamda" in group]
    pairs = [(w, w.detach().numpy(), group["lamda"]) for group in groups for w in group["params"]]
    return sum((torch.from_numpy(on_gradient(v, np.zeros_like(v), lamda)) * w).sum() for w, v, lamda in pairs)


def formula_around(style, optimizer, memory, step):
    """step(), and then the formula on its outcome by NumPy; memory holds what cumulative remembers of a parameter."""
    row = FORMULAS[style]
    before = {w: w.detach().numpy().copy() for group in optimizer.param_groups for w in group["params"]}
    step()
    for w, group in penalised(optimizer):
        v, rates = w.detach().numpy(), (float(group["lr"]), group["lamda"])
        if row.after_step:
            v[...] = row.after_step(before[w], v, *rates)
        if row.after_step_with_memory:
            v[...], memory[w] = row.after_step_with_memory(before[w], v.copy(), *rates, *memory.get(w, ()))


class Twins:
    """A model with its matrices penalised and its vectors not, and a twin that is trained by formula."""

    def __init__(self, style, model="linear", optimizer="SGD", lamda=0.3, lr=0.1, dtype=torch.float64, seed=0):
        torch.manual_seed(seed)
        make, shape, self.output = MODELS[model]
        self.style, self.lamda, self.lr = style, lamda, lr
        self.make_optimizer = (OPTIMIZERS | VARIANTS)[optimizer]
        self.model, self.x = make().to(dtype), torch.randn(shape, dtype=dtype)
        for p in self.model.parameters():
            p.detach().view(-1)[::7] = 0  # some exact zeros
        self.twin = copy.deepcopy(self.model)
        self.optimizer, self.twin_optimizer = self.optimize(self.model), self.optimize(self.twin)
        self.attached = attach_where_it_acts(style, self.optimizer)
        self.memory = {}

    def optimize(self, model):
        """Matrices with lamda; biases, and the vectors of batch and layer norms, without."""
        parameters = list(model.parameters())
        matrices, vectors = ([p for p in parameters if (p.dim() > 1) == wanted] for wanted in (True, False))
        return self.make_optimizer([{"params": matrices, "lamda": self.lamda}, {"params": vectors}], lr=self.lr)

    def data_loss(self, model):
        """Some loss of the model's output."""
        return (self.output(model, self.x) - 1).square().mean()

    def closure(self):
        """The gradients of the model, as a user writes it."""
        self.optimizer.zero_grad()
        loss = with_penalty(self.data_loss(self.model), self.style, self.optimizer)
        loss.backward()
        return loss

    def twin_closure(self):
        """The gradients of the twin."""
        self.twin_optimizer.zero_grad()
        loss = self.data_loss(self.twin) + formula_in_loss(self.style, self.twin_optimizer)
        loss.backward()
        return loss

    def step_model(self):
        """One step with the hooks."""
        self.closure()
        self.optimizer.step()

    def step_twin(self):
        """One step by formula."""
        self.twin_closure()
        formula_around(self.style, self.twin_optimizer, self.memory, self.twin_optimizer.step)

    def steps(self, count):
        """So many steps of both."""
        for _ in range(count):
            self.step_model()
            self.step_twin()

    def differing(self):
        """The names of parameters, buffers and memories of L1 whose bits the two have not in common."""
        pairs = zip(self.model.state_dict().items(), self.twin.state_dict().values(), strict=True)
        names = [name for (name, p), q in pairs if not same_bits(p, q)]
        for w, twin_w in zip(self.model.parameters(), self.twin.parameters(), strict=True):
            mine = self.optimizer.state.get(w, {})
            ours = tuple(mine[key] for key in ("l1_due", "l1_received") if key in mine)
            theirs = self.memory.get(twin_w, ())
            if len(ours) != len(theirs) or not all(map(same_bits, ours, theirs)):
                names.append("memory")
        return names


def same_bits(p, q):
    """Equal to the last bit, the sign of zero included. What is not finite equals nothing."""
    p, q = np.asarray(p), np.asarray(q)
    return (p.dtype, p.shape, p.tobytes()) == (q.dtype, q.shape, q.tobytes()) and np.isfinite(p).all()


def attach_where_it_acts(style, optimizer):
    """The hooks of a style, or None of one that acts in the loss."""
    return None if style in IN_LOSS else attach(style, optimizer)


def single(*values, style="penalty", lamda=0.01, lr=0.05):
    """A vector of weights with lamda, and plain SGD with the style, if that acts around its step."""
    w = nn.Parameter(torch.tensor(values, dtype=torch.float64))
    optimizer = torch.optim.SGD([{"params": [w], "lamda": lamda}], lr=lr)
    attach_where_it_acts(style, optimizer)
    return w, optimizer
