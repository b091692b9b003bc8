"""Metrics for several tasks: each task, their mean, or all labels together.

Labels may be missing. The functions take one column per task; scorers and `per_task_score` find
the tasks of an estimator, in long and in wide form.
"""

from skmtl.metrics._estimators import _task_labels as _task_labels
from skmtl.metrics._gain import transfer_gain
from skmtl.metrics._hypervolume import hypervolume
from skmtl.metrics._intervals import (
    mt_interval_coverage,
    mt_interval_score,
    mt_interval_width,
    mt_pinball_loss,
)
from skmtl.metrics._per_task import _mean_task_score as _mean_task_score
from skmtl.metrics._per_task import per_task_score
from skmtl.metrics._public import (
    mt_accuracy_score,
    mt_average_precision_score,
    mt_log_loss,
    mt_mean_absolute_error,
    mt_mean_squared_error,
    mt_r2_score,
    mt_roc_auc_score,
    mt_root_mean_squared_error,
)
from skmtl.metrics._scorers import (
    make_mt_scorer,
    mt_accuracy_scorer,
    mt_average_precision_scorer,
    mt_interval_coverage_scorer,
    mt_r2_scorer,
    mt_roc_auc_scorer,
    neg_mt_interval_score_scorer,
    neg_mt_interval_width_scorer,
    neg_mt_log_loss_scorer,
    neg_mt_mae_scorer,
    neg_mt_mse_scorer,
    neg_mt_pinball_loss_scorer,
    neg_mt_rmse_scorer,
)

__all__ = [
    "hypervolume",
    "make_mt_scorer",
    "mt_accuracy_score",
    "mt_accuracy_scorer",
    "mt_average_precision_score",
    "mt_average_precision_scorer",
    "mt_interval_coverage",
    "mt_interval_coverage_scorer",
    "mt_interval_score",
    "mt_interval_width",
    "mt_log_loss",
    "mt_mean_absolute_error",
    "mt_mean_squared_error",
    "mt_pinball_loss",
    "mt_r2_score",
    "mt_r2_scorer",
    "mt_roc_auc_score",
    "mt_roc_auc_scorer",
    "mt_root_mean_squared_error",
    "neg_mt_interval_score_scorer",
    "neg_mt_interval_width_scorer",
    "neg_mt_log_loss_scorer",
    "neg_mt_mae_scorer",
    "neg_mt_mse_scorer",
    "neg_mt_pinball_loss_scorer",
    "neg_mt_rmse_scorer",
    "per_task_score",
    "transfer_gain",
]
