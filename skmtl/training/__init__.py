"""The training loop: batches, optimiser, clocks and the skorch net that runs them.

It knows neither which architecture nor which method it trains.
"""

from skmtl.training._batches import Batch, MemberBatches
from skmtl.training._blocks import TaskRows
from skmtl.training._callbacks import ProgressBar, check_callbacks
from skmtl.training._losses import BinaryLoss, ClassLoss, JointLoss, NumberLoss
from skmtl.training._net import MemberNet
from skmtl.training._optimizer import MemberAdam
from skmtl.training._predict import predict_every_task, predict_rows
from skmtl.training._preferences import get_solver

__all__ = [
    "Batch",
    "BinaryLoss",
    "ClassLoss",
    "JointLoss",
    "MemberAdam",
    "MemberBatches",
    "MemberNet",
    "NumberLoss",
    "ProgressBar",
    "TaskRows",
    "check_callbacks",
    "get_solver",
    "predict_every_task",
    "predict_rows",
]
