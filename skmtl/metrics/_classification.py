"""Metrics of predicted classes, with one column per task and labels that may be missing."""

from skmtl.metrics._documentation import documented
from skmtl.metrics._metric import Accuracy, evaluate
from skmtl.metrics._parts import wide_parts
from skmtl.metrics._probabilities import AveragePrecision, LogLoss, RocAuc

ACCURACY = Accuracy()
ROC_AUC = RocAuc()
AVERAGE_PRECISION = AveragePrecision()
LOG_LOSS = LogLoss()


@documented
def mt_accuracy_score(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Accuracy over tasks.

    Each task is a column of `y_true` and has its own classes; missing labels are skipped.

    Parameters
    ----------
    {classes}
    {average}

    Returns
    -------
    float or Series
        Greater is better.

    {raises}

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


@documented
def mt_roc_auc_score(y_true, y_pred, *, sample_weight=None, labels=None, average="macro"):
    """Area under the ROC curve over tasks.

    With more than two classes, the scores of each class against the rest are averaged. Classes for
    which a task has no label are left out, and the other probabilities are rescaled to sum to 1.

    Parameters
    ----------
    {probabilities}
    average : {"macro", "micro"} or None, default="macro"
        "macro" is the mean over tasks; "micro" ranks all labels of all tasks together (with
        more than two classes, each pair of a row and a class); None gives one number per task.

    Returns
    -------
    float or Series
        Greater is better. A task whose labels all belong to one class has no score: it is NaN,
        is left out of the mean, and a warning names it.

    {raises}

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


@documented
def mt_average_precision_score(y_true, y_pred, *, sample_weight=None, labels=None, average="macro"):
    """Average precision over tasks: the mean of the precisions at each recall that is reached.

    With more than two classes, the scores of each class against the rest are averaged. Classes for
    which a task has no label are left out, and the other probabilities are rescaled to sum to 1.

    Parameters
    ----------
    {probabilities}
    average : {"macro", "micro"} or None, default="macro"
        "macro" is the mean over tasks; "micro" ranks all labels of all tasks together (with
        more than two classes, each pair of a row and a class); None gives one number per task.

    Returns
    -------
    float or Series
        Greater is better. A task without a positive label has no score: it is NaN, is left out of
        the mean, and a warning names it.

    {raises}

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


@documented
def mt_log_loss(y_true, y_pred, *, sample_weight=None, labels=None, average="macro"):
    """Log loss over tasks: the negative mean log-probability of the labels.

    Probabilities of 0 are clipped to the smallest positive number, as in scikit-learn.

    Parameters
    ----------
    {probabilities}
    {average}

    Returns
    -------
    float or Series
        Lower is better.

    {raises}

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
