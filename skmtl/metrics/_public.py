"""Public metrics, which take one column per task and labels that may be missing."""

from sklearn.metrics import mean_absolute_error, mean_squared_error, root_mean_squared_error

from skmtl._docstrings import fill
from skmtl.metrics._metric import R2, Accuracy, Metric, evaluate
from skmtl.metrics._parts import wide_parts
from skmtl.metrics._probabilities import AveragePrecision, LogLoss, RocAuc

MSE = Metric("mean squared error", mean_squared_error)
RMSE = Metric("root mean squared error", root_mean_squared_error)
MAE = Metric("mean absolute error", mean_absolute_error)
R2_SCORE = R2()
ACCURACY = Accuracy()
ROC_AUC = RocAuc()
AVERAGE_PRECISION = AveragePrecision()
LOG_LOSS = LogLoss()

# metrics by public function
METRICS = {}

_COLUMNS = """y_pred : DataFrame or array-like of shape (n, T) or (n,)
    {}. Rows are matched by position; columns by name if both are DataFrames.
"""
_PREDICTIONS = {
    "numbers": _COLUMNS.format("Predictions"),
    "labels": _COLUMNS.format("Predicted classes"),
    "probabilities": """y_pred : dict, list or array-like
    Probabilities as `predict_proba` gives them: a dict by task, or a list in the order of the
    tasks, of arrays of shape (n, n_classes); or an array of shape (n, T) with the probability
    of the positive class, the second one. Keys of a dict are the names of the columns of
    `y_true`, or their positions.
""",
}
_CLASSES = """labels : dict or list, optional
    Classes of each task, in the order of the columns of its probabilities; the sorted labels
    in `y_true` if not given.
"""
_SECTIONS = """
Parameters
----------
y_true : DataFrame or array-like of shape (n, T) or (n,)
    Labels, NaN or None where missing.
{predictions}sample_weight : array-like of shape (n,) or (n, T), optional
    Weights of the rows, or of each label. A weight of 2 is the same as the row twice.
{classes}average : {{"macro", "micro"}} or None, default="macro"
    "macro" is the mean over tasks, "micro" {micro}, None gives one
    number per task.

Returns
-------
float or Series
    {better} is better.{undefined}

Raises
------
ValueError
    If shapes, names or classes do not match, a prediction is missing, or `average` is unknown.
"""
_UNDEFINED = """ A task {} has no score: it is NaN,
    is left out of the mean, and a warning names it."""
_RANKED = """ranks all labels of all tasks together (with
    more than two classes, each pair of a row and a class)"""


def _computes(metric, *, undefined=None, micro="takes all labels together"):
    """Return a decorator that registers the function of a metric and fills in ``{sections}``."""
    sections = _SECTIONS.format(
        predictions=_PREDICTIONS[metric.content],
        classes=_CLASSES if metric.content == "probabilities" else "",
        micro=micro,
        better="Greater" if metric.greater_is_better else "Lower",
        undefined=_UNDEFINED.format(undefined) if undefined else "",
    )

    def decorate(function):
        METRICS[function] = metric
        return fill(function, sections=sections)

    return decorate


@_computes(MSE)
def mt_mean_squared_error(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Compute the mean squared error over tasks.

    Each task is a column of `y_true`; missing labels are skipped.

    {sections}

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.metrics import mt_mean_squared_error
    >>> y_true = np.array([[1.0, np.nan], [2.0, 5.0], [3.0, np.nan]])
    >>> y_pred = np.array([[1.0, 4.0], [2.0, 4.0], [3.0, 4.0]])
    >>> mt_mean_squared_error(y_true, y_pred)
    0.5
    >>> mt_mean_squared_error(y_true, y_pred, average="micro")
    0.25
    >>> mt_mean_squared_error(y_true, y_pred, average=None).tolist()
    [0.0, 1.0]
    """
    return evaluate(MSE, *wide_parts(y_true, y_pred, sample_weight, MSE.content), average)


@_computes(RMSE)
def mt_root_mean_squared_error(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Compute the root mean squared error over tasks.

    "macro" is the mean of the roots of the tasks. "micro" is the root of the mean squared error of
    all labels, which is dominated by large tasks and large errors.

    {sections}

    Examples
    --------
    >>> import pandas as pd
    >>> from skmtl.metrics import mt_root_mean_squared_error
    >>> y_true = pd.DataFrame({"lake": [1.0, 2.0, 3.0], "river": [5.0, None, None]})
    >>> y_pred = pd.DataFrame({"river": [9.0, 9.0, 9.0], "lake": [1.0, 2.0, 3.0]})
    >>> mt_root_mean_squared_error(y_true, y_pred, average=None)
    lake     0.0
    river    4.0
    dtype: float64
    >>> mt_root_mean_squared_error(y_true, y_pred)
    2.0
    """
    return evaluate(RMSE, *wide_parts(y_true, y_pred, sample_weight, RMSE.content), average)


@_computes(MAE)
def mt_mean_absolute_error(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Compute the mean absolute error over tasks.

    Each task is a column of `y_true`; missing labels are skipped.

    {sections}

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.metrics import mt_mean_absolute_error
    >>> y_true = np.array([[1.0, np.nan], [2.0, 5.0], [3.0, np.nan]])
    >>> mt_mean_absolute_error(y_true, np.full((3, 2), 2.0), average=None).round(2).tolist()
    [0.67, 3.0]
    """
    return evaluate(MAE, *wide_parts(y_true, y_pred, sample_weight, MAE.content), average)


@_computes(R2_SCORE, undefined="with fewer than two labels")
def mt_r2_score(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Compute the coefficient of determination (R2) over tasks.

    The score of a task is 0 for the mean of its labels and 1 for perfect predictions. "micro" is 1
    minus the sum of all squared residuals over the sum of all squared deviations from the mean of
    the task, so that predicting only the task means has the score 0.

    {sections}

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.metrics import mt_r2_score
    >>> y_true = np.array([[1.0, 10.0], [2.0, np.nan], [3.0, 30.0]])
    >>> y_pred = np.array([[1.0, 20.0], [2.0, 20.0], [3.0, 20.0]])
    >>> mt_r2_score(y_true, y_pred, average=None).tolist()
    [1.0, 0.0]
    >>> mt_r2_score(y_true, y_pred)
    0.5
    >>> round(mt_r2_score(y_true, y_pred, average="micro"), 3)
    0.01
    """
    parts = wide_parts(y_true, y_pred, sample_weight, R2_SCORE.content)
    return evaluate(R2_SCORE, *parts, average)


@_computes(ACCURACY)
def mt_accuracy_score(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Compute the accuracy over tasks.

    Each task is a column of `y_true` and may have different classes; missing labels are skipped.

    {sections}

    Examples
    --------
    >>> import pandas as pd
    >>> from skmtl.metrics import mt_accuracy_score
    >>> y_true = pd.DataFrame({"colour": ["red", "blue", None], "ripe": [1, 0, 0]})
    >>> y_pred = pd.DataFrame({"colour": ["red", "blue", "red"], "ripe": [0, 1, 0]})
    >>> mt_accuracy_score(y_true, y_pred, average=None).round(2)
    colour    1.00
    ripe      0.33
    dtype: float64
    >>> mt_accuracy_score(y_true, y_pred, average="micro")
    0.6
    """
    return evaluate(ACCURACY, *wide_parts(y_true, y_pred, sample_weight, "labels"), average)


@_computes(ROC_AUC, undefined="whose labels all belong to one class", micro=_RANKED)
def mt_roc_auc_score(y_true, y_pred, *, sample_weight=None, labels=None, average="macro"):
    """Compute the area under the ROC curve over tasks.

    With more than two classes, the scores of each class against the rest are averaged. Classes for
    which a task has no label are ignored, and the other probabilities are rescaled to sum to 1.

    {sections}

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.metrics import mt_roc_auc_score
    >>> y_true = np.array([[0, 1], [1, 0], [1, np.nan], [0, 0]])
    >>> y_pred = np.array([[0.1, 0.9], [0.8, 0.3], [0.4, 0.5], [0.6, 0.1]])
    >>> mt_roc_auc_score(y_true, y_pred, average=None).tolist()
    [0.75, 1.0]
    >>> mt_roc_auc_score(y_true, y_pred)
    0.875
    """
    parts = wide_parts(y_true, y_pred, sample_weight, "probabilities", labels)
    return evaluate(ROC_AUC, *parts, average)


@_computes(AVERAGE_PRECISION, undefined="without a positive label", micro=_RANKED)
def mt_average_precision_score(y_true, y_pred, *, sample_weight=None, labels=None, average="macro"):
    """Compute the average precision over tasks: precisions weighted by increase in recall.

    With more than two classes, the scores of each class against the rest are averaged. Classes for
    which a task has no label are ignored, and the other probabilities are rescaled to sum to 1.

    {sections}

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.metrics import mt_average_precision_score
    >>> y_true = np.array([[0, 1], [1, 0], [1, np.nan], [0, 0]])
    >>> y_pred = np.array([[0.1, 0.9], [0.8, 0.3], [0.4, 0.5], [0.6, 0.1]])
    >>> mt_average_precision_score(y_true, y_pred, average=None).round(3).tolist()
    [0.833, 1.0]
    """
    parts = wide_parts(y_true, y_pred, sample_weight, "probabilities", labels)
    return evaluate(AVERAGE_PRECISION, *parts, average)


@_computes(LOG_LOSS)
def mt_log_loss(y_true, y_pred, *, sample_weight=None, labels=None, average="macro"):
    """Compute the log loss over tasks: the negative mean log-probability of the labels.

    Probabilities of 0 are clipped to the smallest positive number, as in scikit-learn.

    {sections}

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skmtl.metrics import mt_log_loss
    >>> y_true = pd.DataFrame({"colour": ["red", "blue", None], "ripe": [1, 0, 0]})
    >>> y_pred = {"colour": np.full((3, 2), 0.5), "ripe": np.array([[0, 1], [1, 0], [1, 0]])}
    >>> mt_log_loss(y_true, y_pred, average=None).round(2)
    colour    0.69
    ripe      0.00
    dtype: float64
    """
    parts = wide_parts(y_true, y_pred, sample_weight, "probabilities", labels)
    return evaluate(LOG_LOSS, *parts, average)
