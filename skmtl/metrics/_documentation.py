"""Parts of docstrings that the metrics share."""

from skmtl._docstrings import shared

_LABELS = """
y_true : DataFrame or array-like of shape (n, T) or (n,)
    Labels, NaN or None where missing.
"""
_COLUMNS = """y_pred : DataFrame or array-like of shape (n, T) or (n,)
    {what}. Rows are matched by position; columns by name if both are DataFrames.
"""
_WEIGHTS = """sample_weight : array-like of shape (n,) or (n, T), optional
    Weights of the rows, or of each label. A weight of 2 is the same as the row twice.
"""
_PROBABILITIES = """y_pred : dict, list or array-like
    Probabilities as `predict_proba` gives them: a dict by task, or a list in the order of the
    tasks, of arrays of shape (n, n_classes); or an array of shape (n, T) with the probability
    of the positive class, the second one. Keys of a dict are the names of the columns of
    `y_true`, or their positions.
"""
_CLASSES = """labels : dict or list, optional
    Classes of each task, in the order of the columns of its probabilities; the sorted labels
    in `y_true` if not given.
"""
_AVERAGE = """
average : {"macro", "micro"} or None, default="macro"
    "macro" is the mean over tasks, "micro" takes all labels together, None gives one number
    per task.
"""
_RAISES = """
Raises
------
ValueError
    If shapes, names or classes do not fit, a prediction is missing, or `average` is unknown.
"""

documented = shared(
    numbers=_LABELS + _COLUMNS.format(what="Predictions") + _WEIGHTS,
    classes=_LABELS + _COLUMNS.format(what="Predicted classes") + _WEIGHTS,
    probabilities=_LABELS + _PROBABILITIES + _WEIGHTS + _CLASSES,
    average=_AVERAGE,
    raises=_RAISES,
)
