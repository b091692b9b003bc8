"""Fits of a search: many candidates on many splits, trained side by side where shapes allow.

What scikit-learn does for one candidate on one split, for a block of them.
"""

import time
from dataclasses import dataclass, field, replace
from numbers import Integral
from traceback import format_exception

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection._validation import _score
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params, _num_samples

from skmtl._estimators.base import COLUMNS
from skmtl._estimators.plan import build_module, common_settings
from skmtl._estimators.run import train
from skmtl.model_selection._memory import members_in_memory
from skmtl.model_selection._pipelines import check_model, digest, last_step, transform


@dataclass
class Settings:
    """What all fits of a search have in common.

    Attributes
    ----------
    scorer : callable
    fit_params, score_params : dict
    return_train_score : bool
    error_score : "raise" or number
    n_workers : int
        Blocks that share the memory.
    """

    scorer: object
    fit_params: dict = field(default_factory=dict)
    score_params: dict = field(default_factory=dict)
    return_train_score: bool = False
    error_score: object = np.nan
    n_workers: int = 1


@dataclass
class Fit:
    """One candidate on one split.

    Attributes
    ----------
    parameters : dict
    split : int
        Number of the split.
    train, test : ndarray of int
        Rows.
    """

    parameters: dict
    split: int
    train: np.ndarray
    test: np.ndarray
    # filled by `run_block`
    model: object = None
    job: object = None
    error: Exception | None = None
    fit_time: float = 0.0


def structure(model, parameters):
    """What fits must have in common to be in one block: all that changes shapes.

    Returns
    -------
    Hashable
    """
    model = clone(model).set_params(**clone(parameters, safe=False))
    # a candidate may replace the estimator
    check_model(model)
    return digest(lambda: joblib.hash(common_settings(last_step(model))))


def run_block(model, X, y, fits, settings):
    """Train and score some fits.

    Parameters
    ----------
    model : estimator
        Unfitted.
    X, y : table and labels
        Of all rows.
    fits : list of Fit
    settings : Settings

    Returns
    -------
    list of dict
        As scikit-learn's searches take them, in the order of `fits`.
    """
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
            groups.setdefault(digest(fit.job.key), []).append(fit)
    for group in groups.values():
        most = _side_by_side(group[0].job, settings)
        for begin in range(0, len(group), most):
            some, start = group[begin : begin + most], time.perf_counter()
            _train(some)
            for fit in some:
                fit.fit_time += (time.perf_counter() - start) / len(some)
    return [_result(fit, X, y, settings) for fit in fits]


def _prepare(fit, model, X, y, settings, prepared, transformed):
    """Fit the steps before the last, and check and encode what the last one trains on."""
    fit.model = clone(model).set_params(**clone(fit.parameters, safe=False))
    estimator = last_step(fit.model)
    params = _check_method_params(X, params=settings.fit_params, indices=fit.train)
    X_train, y_train = _safe_split(fit.model, X, y, fit.train)
    table = None
    if isinstance(fit.model, Pipeline):
        X_train, params = transform(fit, X_train, y_train, params, transformed)
        table = id(X_train)
    key = fit.split, table, structure(estimator, {}), _seed_key(estimator)
    if key in prepared:
        # the rows of this split, checked, encoded and set aside as before
        job, donor = prepared[key]
        estimator._validate_params()
        seeds = estimator._member_seeds(estimator.n_members)
        fit.job = replace(job, estimator=estimator, seeds=seeds)
        for name in COLUMNS:
            if hasattr(donor, name):
                setattr(estimator, name, getattr(donor, name))
        return
    fit.job = estimator._job(X_train, y_train, **params)
    if key[-1] is not None:
        prepared[key] = fit.job, estimator


def _seed_key(estimator):
    """What decides which rows validate; None if that is different every time."""
    if not estimator.early_stopping:
        return "none validate"
    return estimator.random_state if isinstance(estimator.random_state, Integral) else None


def _side_by_side(job, settings):
    """How many fits train at once."""
    try:
        return max(1, members_in_memory(job, settings.n_workers) // len(job.seeds))
    except Exception:
        # there is no such network: training says why
        return 1


def _train(fits):
    """Train fits of equal shapes as members of one module.

    Where that fails, halves are tried, so that an error is noted where it belongs.
    """
    jobs, result = [fit.job for fit in fits], None
    try:
        result = train(jobs, build_module(jobs), drop_diverged=True)
    except Exception as error:
        if len(fits) == 1:
            fits[0].error = error
            return
    if result is None:
        _train(fits[: len(fits) // 2])
        _train(fits[len(fits) // 2 :])
        return
    first = 0
    for fit, job in zip(fits, jobs, strict=True):
        members = range(first, first + len(job.seeds))
        diverged = next((m for m in members if m in result.diverged), None)
        if diverged is None:
            job.estimator._finish(job, result.part(members, len(job.tables.tasks)))
        else:
            fit.error = _as_alone(result, diverged, members)
        first = members.stop


def _as_alone(result, member, members):
    """Return the error that a fit of some members raises alone, where they are numbered from 0."""
    error, number = result.diverged[member], member - members.start
    there = f"member {error.members[0]} of {result.n_members}"
    here = f"member {number} of {len(members)}"
    return type(error)(str(error).replace(there, here), [number])


def _result(fit, X, y, settings):
    """Score a fit; what scikit-learn's `_fit_and_score` returns."""
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
    fit.model = fit.job = None
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


def _scores(fit, X_some, y_some, rows, X, settings):
    params = _check_method_params(X, params=settings.score_params, indices=rows)
    return _score(fit.model, X_some, y_some, settings.scorer, params, settings.error_score)
