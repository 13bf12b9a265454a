"""Every number that a diagnosis decides by, each with its reason."""

# --- when is a prediction right? ----------------------------------------------------------------------------------
# In ε of the largest element: what arithmetic in another order, or in float32, can make of one update. A gradient is a
# chain of sums of some hundred products; their roundings mostly cancel, and 64 leaves room where they do not.
NOISE_ULPS = 64
# Two runs no farther apart than this share of max|w| have the same gradient for one update: a gradient changes by about
# as much as its weights do, and η times 2⁻²⁰ of it is less than the float32 rounding of the weight that it moves.
SAME_STATE = 2.0**-20

# --- which updates must an explanation predict? -------------------------------------------------------------------
# Before the first wrong update: enough to tell "from there on" from "always". Momentum with β = 0.9 has forgotten all
# but 3e-5 of what came before.
BEFORE = 100
# From the first wrong update on: one update is fitted easily by a wrong name with a free number, sixty are not.
BEYOND = 60
# So many updates must be right before it can be said that something changed later. What differs in an optimizer (its
# β, for example) shows within its first few updates.
LATE = 10

# --- numbers that are fitted --------------------------------------------------------------------------------------
TURNS = 6  # secants over all updates at most: a number that is not found by then depends on the updates too little
CONVERGED = 1e-6  # a number that changes by a smaller share of itself is found: 4 digits of it are printed
AS_ASKED = 1e-4  # a number that is off by a smaller share is the one that was asked for: 4 digits of it are printed
NO_LAMDA = 1e-5  # a λ below this share of what was asked for is no L1 at all, which has a name of its own
# Times the rule's own number (of a limit: 1): where a fit begins if the first wrong update does not tell the number.
BEGINNINGS = (1.0, 0.1, 0.01, 0.001, 10.0, 100.0)
# A fit to the first wrong update must bring the misfit there below this share of what it was, or near the tolerance.
# A right hypothesis does so even while its number is inexact (a secant squares the error); the others are wrong, and
# are not fitted to sixty updates.
REJECTED_ABOVE, NEARLY_RIGHT = 0.5, 10.0
# In float32's tolerance wrong names fit, too: one whose residual is so many times that of the best is dropped.
AS_GOOD = 10

# --- which items were in a batch? ---------------------------------------------------------------------------------
OTHER_SEEDS = range(100)  # other orders of the items that are tried: people take small seeds
FEW = 5  # updates of which all items are looked for: each costs the gradient of every item
MOST_NUMBERS = 10_000_000  # in the gradients of all items together: 80 MB

# --- is it rounding alone? ----------------------------------------------------------------------------------------
# In ε of the largest step so far: what float32 arithmetic makes of a step. A gradient is a difference of sums that
# nearly cancel, and a trained network's is smaller than its parts.
STEP_ULPS = 512
# Half of the first update's steps are at least this share of the longest: each gradient was divided by its size (Adam,
# RMSprop, the sign of the gradient). So many elements are needed to say so.
EQUAL_STEPS, ENOUGH = 0.9, 8
# Of a matrix's step, in the mean: what rounding makes of it there, since only the smallest gradients are rounding
# themselves. 4e-4 were measured.
AMPLIFIED = 2e-3
# The cosine of two runs' steps: below it they are not one step of two lengths.
UNRELATED = 0.99
# Times the ULP of a weight, in the mean: each side rounds a weight once or twice in an update, by 0.29 ULPs (½ / √3).
ROUNDINGS = 0.75
# In ε of the steps, in the mean: what rounding can do again and again to one side, as the error of a λ in float32.
BIAS_ULPS = 32
# Times how far the states are apart: by how much their steps differ. η times the curvature is below 2 where training is
# stable.
STATE = 2
# Times the reference's own step: how far two runs may be apart in a weight that has other signs in them. Each is pulled
# across 0 by at most a step.
PULLS = 3
# Of η λ: what must not be hidden in rounding, if L1 is to be judged. ½ λ changes an update by half of it.
WRONG_LAMDA = 0.25
# A step that is too long or too short: not chance, if it is so many standard deviations from right, and not rounding,
# if it is a larger share of the step. β₂ = 0.999 is off by 1e-5 in float32.
CHANCE = 10.0
SYSTEMATIC = 1e-4
# Rounding that is a larger share of the steps than the first hides every fault; than the second, small ones, such as
# an L2 with λ₂ = 1e-4.
MOST_ROUNDING = 0.1
NO_BUG_ABOVE = 1e-3
