"""Metrics of predicted classes, with one column per task and labels that may be missing."""

from skmtl.metrics._documentation import documented
from skmtl.metrics._metric import Accuracy, evaluate
from skmtl.metrics._pieces import wide_pieces
from skmtl.metrics._probabilities import AveragePrecision, LogLoss, RocAuc

ACCURACY = Accuracy()
ROC_AUC = RocAuc()
AVERAGE_PRECISION = AveragePrecision()
LOG_LOSS = LogLoss()


@documented
def mt_accuracy_score(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Accuracy over tasks.

    Each task is a column of `y_true`, with classes of its own; missing labels are
    skipped.

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
    return evaluate(ACCURACY, *wide_pieces(y_true, y_pred, sample_weight, "labels"), average)


@documented
def mt_roc_auc_score(y_true, y_pred, *, sample_weight=None, labels=None, average="macro"):
    """Area under the curve of true against false positives, over tasks.

    With more than two classes it is the mean over the classes, each against the rest. Classes of
    which a task has no label are left out, and the probabilities of the others divided by their
    sum.

    Parameters
    ----------
    {probabilities}
    average : {"macro", "micro"} or None, default="macro"
        "macro" is the mean over tasks; "micro" ranks all labels of all tasks together, of more
        than two classes every pair of a row and a class; None gives one number per task.

    Returns
    -------
    float or Series
        Greater is better. A task whose labels are all of one class has no score: it counts as
        NaN, is left out of the mean, and a warning names it.

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
    pieces = wide_pieces(y_true, y_pred, sample_weight, "probabilities", labels)
    return evaluate(ROC_AUC, *pieces, average)


@documented
def mt_average_precision_score(y_true, y_pred, *, sample_weight=None, labels=None, average="macro"):
    """Average precision over tasks: the mean precision over the recalls that are reached.

    With more than two classes it is the mean over the classes, each against the rest. Classes of
    which a task has no label are left out, and the probabilities of the others divided by their
    sum.

    Parameters
    ----------
    {probabilities}
    average : {"macro", "micro"} or None, default="macro"
        "macro" is the mean over tasks; "micro" ranks all labels of all tasks together, of more
        than two classes every pair of a row and a class; None gives one number per task.

    Returns
    -------
    float or Series
        Greater is better. A task without a positive label has no score: it counts as NaN, is left
        out of the mean, and a warning names it.

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
    pieces = wide_pieces(y_true, y_pred, sample_weight, "probabilities", labels)
    return evaluate(AVERAGE_PRECISION, *pieces, average)


@documented
def mt_log_loss(y_true, y_pred, *, sample_weight=None, labels=None, average="macro"):
    """Log loss over tasks: minus the mean logarithm of the probability of the label.

    Probabilities of 0 are raised to the smallest number that counts, as in scikit-learn.

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
    pieces = wide_pieces(y_true, y_pred, sample_weight, "probabilities", labels)
    return evaluate(LOG_LOSS, *pieces, average)
