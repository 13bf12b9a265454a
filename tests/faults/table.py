"""What is wrong in each implementation, where it shows first, and what must be said of it."""

from dataclasses import dataclass, replace

from reference.experiment import Experiment
from tests.faults import by_hand, in_torch

EXPERIMENT = Experiment(epochs=2)
BATCHES = replace(EXPERIMENT, batch_size=10, epochs=20)
SQUARE = replace(EXPERIMENT, sizes=(10, 10, 4))
UNEVEN = replace(EXPERIMENT, batch_size=16, epochs=10)
MOMENTUM, ADAM = (replace(EXPERIMENT, optimizer=name) for name in ("momentum", "adam"))
DECOUPLED, ELASTIC = replace(EXPERIMENT, style="decoupled"), replace(EXPERIMENT, l2=0.01)
FALLING = replace(EXPERIMENT, style="decoupled", lr_schedule="inverse")
ALL, WEIGHTS, BIASES = ("W1", "b1", "W2", "b2"), ("W1", "W2"), ("b1", "b2")


@dataclass(frozen=True)
class Fault:
    """A wrong implementation, and its diagnosis."""

    code: type
    says: str  # in the sentence of an explanation
    update: int | None = 1  # the first that goes wrong
    parameters: tuple[str, ...] = WEIGHTS  # where
    experiment: Experiment = EXPERIMENT

    def __str__(self) -> str:
        return f"{self.code.__module__.rpartition('.')[2]}: {self.code.__name__}"


NUMPY = [
    Fault(by_hand.BiasesPenalised, "L1 is on biases too", 1, BIASES),
    Fault(by_hand.SignReversed, "L1 is as_listed"),
    Fault(by_hand.OnlyTheFirstLayer, "L1 is on W1 alone", 1, ("W2",)),
    Fault(by_hand.OnlyTheLastLayer, "L1 is on W2 alone", 1, ("W1",)),
    Fault(by_hand.Squared, "uses an L2 penalty, ½ λ Σw², where L1 was asked for"),
    Fault(by_hand.SquaredWithoutHalf, "uses an L2 penalty without ½, λ Σw², where L1 was asked for"),
    Fault(by_hand.ElasticNet, "adds L2, on weights, λ₂ = 0.01"),
    Fault(by_hand.Halved, "λ is 0.0005, ½ times what was asked for"),
    Fault(by_hand.TackedOn, "L1 is tack_on"),
    Fault(by_hand.SignAfterTheStep, "L1 is decoupled, sign after the step", 2, ("W1",)),
    Fault(by_hand.TackedOnAfter, "L1 is tack_on, sign after the step"),
    Fault(by_hand.Proximal, "L1 is proximal", 2, ("W1",)),
    Fault(by_hand.ThresholdUnscaled, "L1 is a threshold of λ, not of η λ"),
    Fault(by_hand.Clipped, "L1 is clipped", 4, ("W1",)),
    Fault(by_hand.Cumulative, "L1 is cumulative", 2, ("W1",)),
    Fault(by_hand.Diagonal, "gradient is that of the diagonal soft-max derivative", 1, ALL),
    Fault(by_hand.CrossEntropy, "gradient is that of cross_entropy as the loss", 1, ALL),
    Fault(by_hand.HalfMissing, "loss is 2 times as large", 1, ALL),
    Fault(by_hand.Summed, "gradient is that of the sum over a batch", 1, ALL, BATCHES),
    Fault(by_hand.BackThroughTheNewWeights, "weights which were already updated", 1, ("W1", "b1")),
    Fault(by_hand.BiasesForgotten, "does not train b1, b2", 1, BIASES),
    Fault(by_hand.TenTimesTheRate, "η is 0.1, 10 times what was asked for", 1, ALL),
    Fault(by_hand.OneSkipped, "given the batch after: one was skipped", 10, ALL),
    Fault(by_hand.OneRepeated, "given the batch before: one was repeated", 11, ALL),
    Fault(by_hand.NotShuffled, "items in another order: 0, 1, 2, 3", 1, ALL),
    Fault(by_hand.ShuffledAfresh, "items in another order", 201, ALL),
    Fault(by_hand.LamdaDividedByItems, "λ is 5e-06, 1 / n times what was asked for"),
    Fault(by_hand.CoefficientsSwapped, "has swapped λ and λ₂", 1, WEIGHTS, ELASTIC),
    Fault(by_hand.ShrunkBeforeTheForwardPass, "gradient is that of weights that L1 had already", 1, ALL, DECOUPLED),
    Fault(by_hand.WarmedUp, "from update 201 on, the candidate's λ is 0.01, 10 times what", 201),
    Fault(by_hand.MomentumOfTheDataAlone, "L1 is decoupled", 2, WEIGHTS, MOMENTUM),
    Fault(by_hand.KerasEpsilon, "optimizer is Adam with ε = 1e-7, as Keras has it", 1, ALL, ADAM),
    Fault(by_hand.AdamUncorrected, "Adam without the correction for starting at 0", 1, ALL, ADAM),
    Fault(by_hand.WiderStart, "starts with 10 times the W1, b1, W2, b2", None, ()),
    Fault(by_hand.BiasesStartAtZero, "starts with zeros in b1, b2", None, ()),
]

TORCH = [
    Fault(in_torch.PenaltyWithoutAGraph, "has no L1"),
    Fault(in_torch.MeanOfL1Loss, "λ is divided by the number of elements of each weight"),
    Fault(in_torch.MeanOfAllWeights, "λ is 8.929e-06, 1 / the number of weights times what was asked for"),
    Fault(in_torch.AllParameters, "L1 is on biases too", 1, BIASES),
    Fault(in_torch.NormIsEuclidean, "uses the Euclidean norm, λ ‖w‖₂, where L1 was asked for"),
    Fault(in_torch.WeightDecayForL1, "uses an L2 penalty, ½ λ Σw², where L1 was asked for"),
    Fault(in_torch.WeightDecayBeside, "adds L2, on weights and biases, λ₂ = 0.01", 1, ALL),
    Fault(in_torch.PenaltyTwice, "λ is 0.002, 2 times what was asked for"),
    Fault(in_torch.PenaltyForEveryItem, "λ is 0.0001, 1 / B times what was asked for", 1, WEIGHTS, BATCHES),
    Fault(in_torch.PenaltyPerItemSummed, "λ is 0.01, B times what was asked for", 1, WEIGHTS, BATCHES),
    Fault(in_torch.SumOfTheBatch, "gradient is that of the sum over a batch", 1, ALL, BATCHES),
    Fault(in_torch.MseLoss, "loss is 0.5 times as large", 1, ALL),
    Fault(in_torch.TackedOnByData, "L1 is tack_on, sign after the step"),
    Fault(in_torch.ShrunkAfterTheStep, "L1 is decoupled, sign after the step", 2, ("W1",)),
    Fault(in_torch.Softshrink, "L1 is proximal", 2, ("W1",)),
    Fault(in_torch.Momentum, "optimizer is momentum, β = 0.9", 2, ALL),
    Fault(in_torch.MomentumHalf, "optimizer is momentum, β = 0.5", 2, ALL),
    Fault(in_torch.Nesterov, "optimizer is Nesterov momentum, β = 0.9", 1, ALL),
    Fault(in_torch.Dampening, "optimizer is momentum with dampening 0.9, β = 0.9", 2, ALL),
    Fault(in_torch.Adam, "optimizer is adam, β = 0.9", 1, ALL),
    Fault(in_torch.AdamW, "optimizer is AdamW with its own weight decay, 0.01", 1, ALL),
    Fault(in_torch.ZeroGradMissing, "gradients are never cleared (zero_grad is missing)", 2, ALL),
    Fault(in_torch.ClippedWithL1, "clipped: to the norm 0.05, L1 inside", 1, ALL),
    Fault(in_torch.ClippedBeforeL1, "clipped: to the norm 0.05, before L1 is added", 1, ALL),
    Fault(in_torch.ClippedByValue, "clipped: each value to 0.02, L1 inside", 1, ("W2", "b2")),
    Fault(in_torch.ClippedOneByOne, "clipped: each parameter's to the norm 0.03, L1 inside", 1, ("W1", "W2", "b2")),
    Fault(in_torch.LastBatchDropped, "the planned batches without 13, 26, 39, 52", 13, ALL, UNEVEN),
    Fault(
        in_torch.LoaderShuffles,
        "batches of other items: 2, 24, 79, 94, 108, 133, 137, 143, … in the first",
        1,
        ALL,
        BATCHES,
    ),
    Fault(in_torch.StepLR, "from update 201 on, the candidate's η is 0.001, 0.1 times what", 201, ALL),
    Fault(in_torch.FrozenLater, "from update 201 on, the candidate does not train W1, b1", 201, ("W1", "b1")),
    Fault(in_torch.NesterovForMomentum, "optimizer is Nesterov momentum, β = 0.9", 1, ALL, MOMENTUM),
    Fault(in_torch.DampenedMomentum, "optimizer is momentum with dampening 0.5, β = 0.9", 2, ALL, MOMENTUM),
    Fault(in_torch.AnotherMomentum, "β is 0.99", 2, ALL, MOMENTUM),
    Fault(in_torch.AdamWForAdam, "adds L2, decoupled, on weights and biases, λ₂ = 0.05", 1, ALL, ADAM),
    Fault(in_torch.RMSpropForAdam, "optimizer is RMSprop", 1, ALL, ADAM),
    Fault(in_torch.CrossEntropy, "gradient is that of cross_entropy as the loss", 1, ALL),
    Fault(in_torch.LayerNotInTheOptimizer, "does not train W2, b2", 1, ("W2", "b2")),
    Fault(in_torch.BiasesFrozen, "does not train b1, b2", 1, BIASES),
    Fault(in_torch.DefaultStart, "starts with other values in W1, b1, W2, b2", None, ()),
    Fault(in_torch.Transposed, "starts with a transposed W1", None, (), SQUARE),
    Fault(in_torch.StaleRate, "L1 is tack_on, w⁺ = v − λ sign w, with λ = 1e-05", 2, WEIGHTS, FALLING),
]

FAULTS = [*NUMPY, *TORCH]
