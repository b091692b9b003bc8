"""The training loop: batches, optimiser, clocks and the skorch net that runs them.

It knows neither which architecture nor which method it trains.
"""

from skmtl.training._batches import TaskRows
from skmtl.training._callbacks import ProgressBar, check_callbacks
from skmtl.training._net import MemberNet
from skmtl.training._predict import predict_all

__all__ = ["MemberNet", "ProgressBar", "TaskRows", "check_callbacks", "predict_all"]
