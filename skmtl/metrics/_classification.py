"""Metrics of predicted classes, with one column per task and labels that may be missing."""

from skmtl.metrics._metric import Accuracy, evaluate
from skmtl.metrics._pieces import wide_pieces
from skmtl.metrics._probabilities import AveragePrecision, LogLoss, RocAuc

ACCURACY = Accuracy()
ROC_AUC = RocAuc()
AVERAGE_PRECISION = AveragePrecision()
LOG_LOSS = LogLoss()


def mt_accuracy_score(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Accuracy over tasks, of the labels that are there.

    Each task is a column of `y_true`, with classes of its own; where a label is missing, the task
    is not asked.

    Parameters
    ----------
    y_true : DataFrame or array-like of shape (n, T) or (n,)
        Labels, NaN or None where missing.
    y_pred : DataFrame or array-like of shape (n, T) or (n,)
        Predicted classes. Rows are matched by position; columns by name if both are DataFrames.
    sample_weight : array-like of shape (n,) or (n, T), optional
        Weights of the rows, or of each label. A weight of 2 is the same as the row twice.
    average : {"macro", "micro"} or None, default="macro"
        "macro" is the mean over tasks, "micro" that over all labels, None one number per task.

    Returns
    -------
    float or Series
        Greater is better.

    Raises
    ------
    ValueError
        If shapes or names do not fit, a prediction is missing, or `average` is unknown.

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


def mt_roc_auc_score(y_true, y_pred, *, sample_weight=None, labels=None, average="macro"):
    """Area under the curve of true against false positives, over tasks.

    With more than two classes it is the mean over the classes, each against the rest. Classes of
    which a task has no label are left out, and the probabilities of the others divided by their
    sum.

    Parameters
    ----------
    y_true : DataFrame or array-like of shape (n, T) or (n,)
        Labels, NaN or None where missing.
    y_pred : dict, list or array-like
        Probabilities as `predict_proba` gives them: a dict by task, or a list in the order of the
        tasks, of arrays of shape (n, n_classes); or an array of shape (n, T) with the probability
        of the positive class, the second one. Keys of a dict are the names of the columns of
        `y_true`, or their positions.
    sample_weight : array-like of shape (n,) or (n, T), optional
        Weights of the rows, or of each label. A weight of 2 is the same as the row twice.
    labels : dict or list, optional
        Classes of each task, in the order of the columns of its probabilities; the sorted labels
        in `y_true` if not given.
    average : {"macro", "micro"} or None, default="macro"
        "macro" is the mean over tasks; "micro" ranks all labels of all tasks together, of more
        than two classes every pair of a row and a class; None gives one number per task.

    Returns
    -------
    float or Series
        Greater is better. A task whose labels are all of one class has no score: it counts as
        NaN, is left out of the mean, and a warning names it.

    Raises
    ------
    ValueError
        If shapes, names or classes do not fit, a prediction is missing, or `average` is unknown.

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


def mt_average_precision_score(y_true, y_pred, *, sample_weight=None, labels=None, average="macro"):
    """Average precision over tasks: the mean precision over the recalls that are reached.

    With more than two classes it is the mean over the classes, each against the rest. Classes of
    which a task has no label are left out, and the probabilities of the others divided by their
    sum.

    Parameters
    ----------
    y_true : DataFrame or array-like of shape (n, T) or (n,)
        Labels, NaN or None where missing.
    y_pred : dict, list or array-like
        Probabilities as `predict_proba` gives them: a dict by task, or a list in the order of the
        tasks, of arrays of shape (n, n_classes); or an array of shape (n, T) with the probability
        of the positive class, the second one. Keys of a dict are the names of the columns of
        `y_true`, or their positions.
    sample_weight : array-like of shape (n,) or (n, T), optional
        Weights of the rows, or of each label. A weight of 2 is the same as the row twice.
    labels : dict or list, optional
        Classes of each task, in the order of the columns of its probabilities; the sorted labels
        in `y_true` if not given.
    average : {"macro", "micro"} or None, default="macro"
        "macro" is the mean over tasks; "micro" ranks all labels of all tasks together, of more
        than two classes every pair of a row and a class; None gives one number per task.

    Returns
    -------
    float or Series
        Greater is better. A task without a positive label has no score: it counts as NaN, is left
        out of the mean, and a warning names it.

    Raises
    ------
    ValueError
        If shapes, names or classes do not fit, a prediction is missing, or `average` is unknown.

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


def mt_log_loss(y_true, y_pred, *, sample_weight=None, labels=None, average="macro"):
    """Log loss over tasks: minus the mean logarithm of the probability of the label.

    Probabilities of 0 are raised to the smallest number that counts, as in scikit-learn.

    Parameters
    ----------
    y_true : DataFrame or array-like of shape (n, T) or (n,)
        Labels, NaN or None where missing.
    y_pred : dict, list or array-like
        Probabilities as `predict_proba` gives them: a dict by task, or a list in the order of the
        tasks, of arrays of shape (n, n_classes); or an array of shape (n, T) with the probability
        of the positive class, the second one. Keys of a dict are the names of the columns of
        `y_true`, or their positions.
    sample_weight : array-like of shape (n,) or (n, T), optional
        Weights of the rows, or of each label. A weight of 2 is the same as the row twice.
    labels : dict or list, optional
        Classes of each task, in the order of the columns of its probabilities; the sorted labels
        in `y_true` if not given.
    average : {"macro", "micro"} or None, default="macro"
        "macro" is the mean over tasks, "micro" that over all labels, None one number per task.

    Returns
    -------
    float or Series
        Lower is better.

    Raises
    ------
    ValueError
        If shapes, names or classes do not fit, a prediction is missing, or `average` is unknown.

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
