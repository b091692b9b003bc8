"""Metrics of predicted numbers, with one column per task and labels that may be missing."""

from sklearn.metrics import mean_absolute_error, mean_squared_error, root_mean_squared_error

from skmtl.metrics._documentation import documented
from skmtl.metrics._metric import R2, Metric, evaluate
from skmtl.metrics._parts import wide_parts

MSE = Metric("mean squared error", mean_squared_error)
RMSE = Metric("root mean squared error", root_mean_squared_error)
MAE = Metric("mean absolute error", mean_absolute_error)
R2_SCORE = R2()


@documented
def mt_mean_squared_error(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Mean squared error over tasks.

    Each task is a column of `y_true`; missing labels are skipped.

    Parameters
    ----------
    {numbers}
    {average}

    Returns
    -------
    float or Series
        Lower is better.

    {raises}

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


@documented
def mt_root_mean_squared_error(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Root mean squared error over tasks.

    "macro" takes the root of each task before it averages. "micro" is the root of the mean squared
    error of all labels, which large tasks and large errors dominate.

    Parameters
    ----------
    {numbers}
    {average}

    Returns
    -------
    float or Series
        Lower is better.

    {raises}

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


@documented
def mt_mean_absolute_error(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Mean absolute error over tasks.

    Each task is a column of `y_true`; missing labels are skipped.

    Parameters
    ----------
    {numbers}
    {average}

    Returns
    -------
    float or Series
        Lower is better.

    {raises}

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.metrics import mt_mean_absolute_error
    >>> y_true = np.array([[1.0, np.nan], [2.0, 5.0], [3.0, np.nan]])
    >>> mt_mean_absolute_error(y_true, np.full((3, 2), 2.0), average=None).round(2).tolist()
    [0.67, 3.0]
    """
    return evaluate(MAE, *wide_parts(y_true, y_pred, sample_weight, MAE.content), average)


@documented
def mt_r2_score(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Coefficient of determination over tasks.

    The score of a task is 0 for the mean of its labels and 1 for perfect predictions. "micro" is 1
    minus the sum of all squared residuals over the sum of all squared deviations, each deviation
    taken from the mean of its task, so that differences between task means explain nothing.

    Parameters
    ----------
    {numbers}
    {average}

    Returns
    -------
    float or Series
        Greater is better. A task with fewer than two labels has no score: it is NaN, is left out
        of the mean, and a warning names it.

    {raises}

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
