"""Scores of every task on validation rows, and the gains computed from them."""

import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from skmtl.metrics import (
    mt_accuracy_scorer,
    neg_mt_log_loss_scorer,
    neg_mt_mse_scorer,
    per_task_score,
)


def scores_by_task(model, X, y, scoring=None, sample_weight=None):
    """Return one score for each task; greater is better.

    Parameters
    ----------
    model : estimator
        Fitted.
    X, y : table and labels
    scoring : as for `per_task_score`
        By default the negative squared error of numbers and the negative log loss of classes, or
        their accuracy without `predict_proba`.
    sample_weight : ndarray, optional

    Returns
    -------
    Series
    """
    if scoring is not None:
        return per_task_score(model, X, y, scoring=scoring, sample_weight=sample_weight)
    types = None
    if isinstance(y, pd.DataFrame):
        types = getattr(model, "task_types_", None)
    if types is None:
        scorer = _class_scorer(model) if is_classifier(model) else neg_mt_mse_scorer
        return per_task_score(model, X, y, scoring=scorer, sample_weight=sample_weight)
    kinds = {kind == "regression" for kind in types.values()}
    scorers = [neg_mt_mse_scorer] * (True in kinds) + [_class_scorer(model)] * (False in kinds)
    return pd.concat(
        [per_task_score(model, X, y, scoring=s, sample_weight=sample_weight) for s in scorers]
    )


def _class_scorer(model):
    return neg_mt_log_loss_scorer if hasattr(model, "predict_proba") else mt_accuracy_scorer


def gains_of(scores, alone):
    """Return the improvement over training alone, relative to the score alone."""
    # the difference itself where the score alone is 0
    unit = np.where(alone == 0, 1.0, np.abs(alone))
    return (scores - alone) / unit
