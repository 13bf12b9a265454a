"""What users import, for type checkers: __init__.py loads each name when it is used."""

from comparisons.diagnosis.finding import Finding as Finding
from comparisons.lamda.translation import translate_lamda as translate_lamda
from comparisons.recorders.plain import Recorder as Recorder
from comparisons.recorders.pytorch import record as record
from comparisons.runs.trace import open_trace as open_trace
from comparisons.same_training import TrainingDiffersError as TrainingDiffersError
from comparisons.same_training import assert_same_training as assert_same_training
from comparisons.same_training import compare as compare
from reference.errors import InputError as InputError
from reference.experiment import Experiment as Experiment
from torch_impl.groups import sparsity as sparsity
from torch_impl.groups import split_parameters as split_parameters
from torch_impl.l1 import STYLES as STYLES
from torch_impl.l1 import attach as attach
from torch_impl.l1 import with_penalty as with_penalty
