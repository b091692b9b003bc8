"""Scores of single tasks."""

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring

from skmtl._sklearn_compat import _safe_indexing
from skmtl.metrics._estimators import _task_labels, classes_by_task
from skmtl.metrics._inputs import columns_of, weights_of
from skmtl.metrics._metric import evaluate
from skmtl.metrics._one_column import OneColumn, Predictions
from skmtl.metrics._parts import labelled, rows_by_task, tidy, wide_parts
from skmtl.metrics._public import ACCURACY, R2_SCORE
from skmtl.metrics._scorers import MultiTaskScorer, mt_accuracy_scorer, mt_r2_scorer


def per_task_score(estimator, X, y, *, scoring=None, sample_weight=None, level=None):
    """Score a fitted estimator on each task.

    In long form the scorer is applied to the rows of each task, in wide form to each column of y
    and of the predictions. Rows without a label of the task are left out.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator, also in a pipeline or a search. In long form it needs a parameter
        `task_id`; in wide form any estimator of scikit-learn works.
    X : DataFrame or array-like of shape (n, n_columns)
        Rows to predict.
    y : DataFrame or array-like of shape (n,) or (n, T)
        Labels, NaN where missing.
    scoring : str or callable, optional
        A scorer of this module or of scikit-learn, the name of a scikit-learn scorer, or a function
        ``scoring(estimator, X, y)``. By default R2 for regression and accuracy for classification.
    sample_weight : array-like of shape (n,) or (n, T), optional
        Weights of the rows, or of each label in wide form.
    level : str or int, optional
        For models with several levels of ids: the column of `task_id` by whose ids to score.

    Returns
    -------
    Series
        One score per task, NaN for a task without labels. Greater is better: errors are
        negated.

    Raises
    ------
    ValueError, TypeError
        If tables do not match, or `scoring` is none of these.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from skmtl.metrics import per_task_score
    >>> X = pd.DataFrame({"depth": [1.0, 2.0, 3.0]})
    >>> y = pd.DataFrame({"heat": [3.0, 2.0, 1.0], "salt": [2.0, 2.0, 5.0]})
    >>> model = LinearRegression().fit(X, y)
    >>> per_task_score(model, X, y)
    heat    1.00
    salt    0.75
    dtype: float64
    >>> per_task_score(model, X, y, scoring="neg_mean_absolute_error").round(2)
    heat   -0.00
    salt   -0.67
    dtype: float64
    """
    if isinstance(scoring, MultiTaskScorer):
        if level is not None:
            scoring = scoring.at_level(level)
        return scoring._by_task(estimator, X, y, sample_weight)
    labels = _task_labels(estimator, X, level)
    if scoring is None:
        return _default_scores(estimator, X, y, sample_weight, labels, level)
    if not (isinstance(scoring, str) or callable(scoring)):
        raise TypeError(
            f"scoring={scoring!r} is not a single scorer; pass the name of a scorer of "
            "scikit-learn or a function scoring(estimator, X, y), and call per_task_score once "
            "for each."
        )
    scorer = check_scoring(estimator, scoring=scoring)
    wide = labels is None and np.ndim(y) == 2
    if not wide and np.ndim(sample_weight) == 2:
        raise ValueError("sample_weight has two dimensions; pass one weight for each row.")
    truth = columns_of(y, "y")
    weights = weights_of(sample_weight, truth)
    if wide:
        return _score_columns(scorer, estimator, X, y, truth, weights)
    if labels is None:
        name = 0 if truth.names is None else truth.names[0]
        labels = pd.Index([name] * len(truth.values[0]), tupleize_cols=False)
    return _score_rows(scorer, estimator, X, truth, weights, labels)


def _default_scores(estimator, X, y, sample_weight, labels, level):
    """Return R2 or accuracy of each task."""
    if labels is not None:
        scorer = mt_accuracy_scorer if is_classifier(estimator) else mt_r2_scorer
        return scorer.at_level(level)._by_task(estimator, X, y, sample_weight)
    y_pred = estimator.predict(X)
    _, kinds = classes_by_task(estimator, y, y_pred)
    return _scores_by_kind(y, y_pred, kinds, sample_weight)


def _scores_by_kind(y_true, y_pred, kinds, sample_weight):
    """Return R2 or accuracy of each column of the labels."""
    regression = np.array([kind == "regression" for kind in kinds])
    scores, columns = [], []
    for metric, chosen in ((R2_SCORE, regression), (ACCURACY, ~regression)):
        chosen = np.flatnonzero(chosen)
        if len(chosen):
            tasks, parts = wide_parts(y_true, y_pred, sample_weight, metric.content, chosen=chosen)
            scores.append(evaluate(metric, tasks, parts, None, stacklevel=5))
            columns.extend(chosen)
    return pd.concat(scores).iloc[np.argsort(columns)]


def _mean_task_score(y_true, y_pred, kinds, sample_weight=None):
    """Return the mean R2 or accuracy over tasks, by `kinds` of columns; NaN if none has a score."""
    n_columns = len(columns_of(y_pred, "y_pred").values)
    if len(kinds) != n_columns:
        raise ValueError(
            f"y_pred has {n_columns} column(s), but kinds has {len(kinds)} entries; it needs one "
            "for each task."
        )
    if isinstance(y_true, pd.DataFrame) and isinstance(y_pred, pd.DataFrame):
        kind_of = dict(zip(y_pred.columns, kinds, strict=True))
        kinds = [kind_of.get(name) for name in y_true.columns]
    return float(_scores_by_kind(y_true, y_pred, kinds, sample_weight).mean())


def _score_rows(scorer, estimator, X, truth, weights, labels):
    """Apply a scorer to the rows of each task, in long form."""
    tasks, rows_of = rows_by_task(labels, truth)
    scores = []
    for task, rows in zip(tasks.tolist(), rows_of, strict=True):
        for y_true, weight in zip(truth.values, weights, strict=True):
            rows, _ = labelled(task, rows, y_true, weight)
        y = [tidy(y_true[rows]) for y_true in truth.values]
        y = y[0] if len(y) == 1 else np.column_stack(y)
        weight = None if weights[0] is None else weights[0][rows]
        scores.append(_score(scorer, task, estimator, _safe_indexing(X, rows), y, weight))
    return pd.Series(scores, index=tasks, dtype=np.float64)


def _score_columns(scorer, estimator, X, y, truth, weights):
    """Apply a scorer to each column of the labels, in wide form."""
    predictions = Predictions(estimator, X, truth)
    classes, kinds = classes_by_task(estimator, y, predictions.raw)
    scores = []
    for t, task in enumerate(predictions.names.tolist()):
        y_true = truth.values[t]
        rows, weight = labelled(task, np.arange(len(y_true)), y_true, weights[t])
        column = OneColumn(predictions, t, _safe_indexing(X, rows), rows)
        y_true = tidy(y_true[rows])
        if kinds[t] == "classification":
            y_true = column.set_classes(None if classes is None else classes[t], y_true)
        scores.append(_score(scorer, task, column, column.X, y_true, weight))
    return pd.Series(scores, index=predictions.names, dtype=np.float64)


def _score(scorer, task, estimator, X, y, weight):
    """Return the score of the rows; NaN if there are none."""
    if not len(y):
        return np.nan
    weights = {} if weight is None else {"sample_weight": weight}
    try:
        return scorer(estimator, X, y, **weights)
    except Exception as error:
        error.add_note(f"The error occurred in the score of the task {task!r}.")
        raise
