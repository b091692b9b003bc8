"""Fits of a search: candidates on splits, trained as members of one module if shapes agree.

`run_block` does for a block what scikit-learn does for one candidate on one split.
"""

import time
from dataclasses import dataclass, field, replace
from numbers import Integral
from traceback import format_exception

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skmtl._estimators.base import COLUMNS
from skmtl._estimators.new_tasks import new_task_seeds
from skmtl._estimators.plan import common_settings
from skmtl._estimators.run import error_as_alone, parts_of, train
from skmtl._sklearn_compat import (
    _BaseScorer,
    _check_method_params,
    _MultimetricScorer,
    _num_samples,
    _PassthroughScorer,
    _safe_indexing,
    _safe_split,
    _score,
)
from skmtl.metrics._scorers import MultiTaskScorer
from skmtl.model_selection._memory import members_in_memory
from skmtl.model_selection._pipelines import check_model, digest, last_step, transform
from skmtl.training._device import in_own_state


@dataclass
class Settings:
    """Settings that all fits of a search share."""

    scorer: object
    fit_params: dict = field(default_factory=dict)
    score_params: dict = field(default_factory=dict)
    return_train_score: bool = False
    error_score: object = np.nan
    n_workers: int = 1  # blocks that share the memory
    checkpoints: object = None  # where training is kept, if it may be interrupted


@dataclass
class Fit:
    """Fit of one candidate on one split."""

    parameters: dict
    split: int  # its number
    train: np.ndarray  # positions of rows
    test: np.ndarray
    # filled by `run_block`
    model: object = None
    plan: object = None
    error: Exception | None = None
    fit_time: float = 0.0
    done: bool = False


def structure(model, parameters):
    """Return what fits of one block have in common (hashable): all that changes shapes."""
    model = clone(model).set_params(**clone(parameters, safe=False))
    # a candidate may replace the estimator
    check_model(model)
    return digest(lambda: joblib.hash(common_settings(last_step(model))))


@in_own_state
def run_block(model, X, y, fits, settings):
    """Train and score fits of an unfitted model; return results as in scikit-learn's searches."""
    prepared, transformed = {}, {}
    for fit in fits:
        start = time.perf_counter()
        try:
            _prepare(fit, model, X, y, settings, prepared, transformed)
        except Exception as error:
            fit.error = error
        fit.fit_time = time.perf_counter() - start
    groups = {}
    for fit in fits:
        if fit.error is None:
            groups.setdefault(digest(fit.plan.key), []).append(fit)
    for group in groups.values():
        size = _batch_size(group[0].plan, settings)
        for begin in range(0, len(group), size):
            batch, start = group[begin : begin + size], time.perf_counter()
            train_fits(batch)
            for fit in batch:
                fit.fit_time += (time.perf_counter() - start) / len(batch)
    return [_result(fit, X, y, settings) for fit in fits]


def _prepare(fit, model, X, y, settings, prepared, transformed):
    """Fit the steps before the last one, and check and encode its training rows."""
    fit.model = clone(model).set_params(**clone(fit.parameters, safe=False))
    estimator = last_step(fit.model)
    params = _check_method_params(X, params=settings.fit_params, indices=fit.train)
    X_train, y_train = _safe_split(fit.model, X, y, fit.train)
    table = None
    if isinstance(fit.model, Pipeline):
        X_train, params = transform(fit, X_train, y_train, params, transformed)
        table = id(X_train)
    key = fit.split, table, structure(estimator, {}), seed_key(estimator)
    if key in prepared:
        # reuse the checked and encoded rows of this split
        fit.plan = share_rows(estimator, *prepared[key])
        return
    plan = estimator._plan(X_train, y_train, **params, whole_y=y)
    if plan.new_tasks is not None and estimator is fit.model:
        X_test = _safe_indexing(X, fit.test)
        if not plan.tables.has_new_tasks(X_test):
            # members that nobody asks
            plan = replace(plan, new_tasks=None)
    plan.for_reports = False
    if not _asks_for_intervals(settings.scorer):
        plan.interval_rows = None
    fit.plan = plan
    if key[-1] is not None:
        prepared[key] = plan, estimator


def _asks_for_intervals(scorer):
    """Return whether a scorer may predict intervals; those of scikit-learn do not."""
    if isinstance(scorer, _MultimetricScorer):
        return any(map(_asks_for_intervals, scorer._scorers.values()))
    if isinstance(scorer, MultiTaskScorer):
        return scorer._metric.content == "bounds"
    return not isinstance(scorer, (_BaseScorer, _PassthroughScorer))


def share_rows(estimator, plan, donor):
    """Return the plan of an estimator on the rows that another one has checked and encoded.

    Parameters
    ----------
    estimator : estimator
        Of the same `structure` and `seed_key` as `donor`.
    plan : FitPlan
        Of `donor`.
    donor : estimator
    """
    estimator._validate_params()
    seeds = estimator._member_seeds(estimator.n_members)
    for name in COLUMNS:
        if hasattr(donor, name):
            setattr(estimator, name, getattr(donor, name))
    new = plan.new_tasks
    if new is not None:
        new = replace(new, estimator=estimator, seeds=new_task_seeds(estimator))
    return replace(plan, estimator=estimator, seeds=seeds, new_tasks=new)


def seed_key(estimator):
    """Return what determines the validation rows; None if each fit draws them anew."""
    if not estimator.early_stopping:
        return "none validate"
    return estimator.random_state if isinstance(estimator.random_state, Integral) else None


def _batch_size(plan, settings):
    """Return how many fits train at once."""
    try:
        return max(1, members_in_memory(plan, settings.n_workers) // plan.n_members)
    except Exception:
        # the network cannot be built: training reports why
        return 1


def train_fits(fits):
    """Train fits of equal shapes as members of one module.

    If that fails, halves are tried, so that an error is assigned to its fit.
    """
    plans, result = [fit.plan for fit in fits], None
    try:
        result = train([part for plan in plans for part in plan.parts], drop_diverged=True)
    except Exception as error:
        if len(fits) == 1:
            fits[0].error = error
            return
    if result is None:
        train_fits(fits[: len(fits) // 2])
        train_fits(fits[len(fits) // 2 :])
        return
    first = 0
    for fit, plan, parts in zip(fits, plans, parts_of(plans, result), strict=True):
        members = range(first, first + sum(len(part.seeds) for part in plan.parts))
        diverged = next((m for m in members if m in result.diverged), None)
        if diverged is None:
            plan.estimator._finish(plan, *parts)
            fit.done = True
        else:
            error, own = result.diverged[diverged], len(plan.seeds)
            fit.error = error_as_alone(error, result.n_members, first, own)
        first = members.stop


def _result(fit, X, y, settings):
    """Score a fit, and return the same as scikit-learn's `_fit_and_score`."""
    X_test, y_test = _safe_split(fit.model, X, y, fit.test, fit.train)
    start = time.perf_counter()
    result = {"fit_error": None}
    if fit.error is not None:
        if settings.error_score == "raise":
            raise fit.error
        result["fit_error"] = "".join(format_exception(fit.error))
        result["test_scores"] = _error_scores(settings)
        if settings.return_train_score:
            result["train_scores"] = _error_scores(settings)
    else:
        result["test_scores"] = _scores(fit, X_test, y_test, fit.test, X, settings)
    score_time = time.perf_counter() - start
    if fit.error is None and settings.return_train_score:
        X_train, y_train = _safe_split(fit.model, X, y, fit.train)
        result["train_scores"] = _scores(fit, X_train, y_train, fit.train, X, settings)
    fit.model = fit.plan = None
    return {
        **result,
        "n_test_samples": _num_samples(X_test),
        "fit_time": fit.fit_time,
        "score_time": score_time if fit.error is None else 0.0,
    }


def _error_scores(settings):
    if isinstance(settings.scorer, _MultimetricScorer):
        return dict.fromkeys(settings.scorer._scorers, settings.error_score)
    return settings.error_score


def _scores(fit, X_rows, y_rows, rows, X, settings):
    params = _check_method_params(X, params=settings.score_params, indices=rows)
    return _score(fit.model, X_rows, y_rows, settings.scorer, params, settings.error_score)
