"""The training loop: batches, steps, optimiser, clocks and the skorch net that runs them.

It knows neither which architecture nor which method it trains.
"""

from skmtl.training._affinity import AffinityRecorder
from skmtl.training._batches import Batch, MemberBatches
from skmtl.training._blocks import TaskRows
from skmtl.training._callbacks import ProgressBar, check_callbacks
from skmtl.training._candidate_steps import steps_for
from skmtl.training._clock import StoppingSettings
from skmtl.training._losses import BinaryLoss, ClassLoss, JointLoss, NumberLoss
from skmtl.training._net import MemberNet
from skmtl.training._optimizer import MemberAdam, OptimizerSettings
from skmtl.training._predict import evaluate_rows, predict_every_task, predict_rows
from skmtl.training._preference_steps import PreferenceSteps, get_solver
from skmtl.training._result import TrainingResult
from skmtl.training._steps import PlainSteps, StepObserver, StepRecords, Steps

__all__ = [
    "AffinityRecorder",
    "Batch",
    "BinaryLoss",
    "ClassLoss",
    "JointLoss",
    "MemberAdam",
    "MemberBatches",
    "MemberNet",
    "NumberLoss",
    "OptimizerSettings",
    "PlainSteps",
    "PreferenceSteps",
    "ProgressBar",
    "StepObserver",
    "StepRecords",
    "Steps",
    "StoppingSettings",
    "TaskRows",
    "TrainingResult",
    "check_callbacks",
    "evaluate_rows",
    "get_solver",
    "predict_every_task",
    "predict_rows",
    "steps_for",
]
