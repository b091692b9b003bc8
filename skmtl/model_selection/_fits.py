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

from skmtl._base import BaseMultiTaskEstimator
from skmtl._jobs import MEMBER_PARAMETERS, build_module, train
from skmtl.model_selection._memory import members_in_memory


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


def last_step(model):
    """The estimator that trains networks: the model itself, or the last step of a Pipeline."""
    return model.steps[-1][1] if isinstance(model, Pipeline) else model


def check_model(model):
    """Refuse what cannot be searched in batches."""
    if not isinstance(last_step(model), BaseMultiTaskEstimator):
        raise TypeError(
            f"a batched search trains estimators of skmtl, or a Pipeline that ends in one, got "
            f"{model!r}. Use scikit-learn's GridSearchCV for others."
        )


def structure(model, parameters):
    """What fits must have in common to be in one block: all that changes shapes.

    Returns
    -------
    str
        A hash.
    """
    model = clone(model).set_params(**clone(parameters, safe=False))
    own = {*MEMBER_PARAMETERS, *last_step(model)._member_parameters, "random_state"}
    settings = last_step(model).get_params(deep=False)
    return joblib.hash({name: value for name, value in settings.items() if name not in own})


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
            groups.setdefault(fit.job.key(), []).append(fit)
    for group in groups.values():
        most = members_in_memory(group[0].job, settings.n_workers)
        most = max(1, most // len(group[0].job.seeds))
        for begin in range(0, len(group), most):
            some, start = group[begin : begin + most], time.perf_counter()
            _train(some)
            for fit in some:
                fit.fit_time += (time.perf_counter() - start) / len(some)
    return [_result(fit, X, y, settings) for fit in fits]


def _prepare(fit, model, X, y, settings, prepared, transformed):
    """Fit the steps before the last, and check and encode what the last one trains on."""
    fit.model = clone(model).set_params(**clone(fit.parameters, safe=False))
    params = _check_method_params(X, params=settings.fit_params, indices=fit.train)
    X_train, y_train = _safe_split(fit.model, X, y, fit.train)
    if isinstance(fit.model, Pipeline):
        X_train, params = _transform(fit, X_train, y_train, params, transformed)
    estimator = last_step(fit.model)
    key = (fit.split, id(X_train) if isinstance(fit.model, Pipeline) else None)
    key = (*key, structure(estimator, {}), _seed_key(estimator))
    if key in prepared:
        # the rows of this split, checked, encoded and set aside as before
        job, donor = prepared[key]
        seeds = estimator._member_seeds(estimator.n_members)
        fit.job = replace(job, estimator=estimator, seeds=seeds)
        for name in ("n_features_in_", "feature_names_in_"):
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


def _transform(fit, X, y, params, transformed):
    """Fit the steps before the last one, once for every split and setting of theirs.

    Returns
    -------
    X : table
        As the last step gets it.
    params : dict
        Those of its fit.
    """
    name = fit.model.steps[-1][0]
    other = [key for key in params if not key.startswith(f"{name}__")]
    if other:
        raise ValueError(
            f"fit parameters {other} are for other steps than the last; in a batched search only "
            f"those of the last step are passed on, such as {name}__sample_weight."
        )
    before = fit.model[:-1]
    key = fit.split, joblib.hash(before)
    if key not in transformed:
        transformed[key] = before, before.fit_transform(X, y)
    before, X = transformed[key]
    fit.model = Pipeline([*before.steps, fit.model.steps[-1]])
    return X, {key.removeprefix(f"{name}__"): value for key, value in params.items()}


def _train(group):
    """Train fits of equal shapes as members of one module."""
    jobs = [fit.job for fit in group]
    try:
        net = train(jobs, build_module(jobs), drop_diverged=True)
    except Exception as error:
        for fit in group:
            fit.error = error
        return
    first = 0
    for fit, job in zip(group, jobs, strict=True):
        members = range(first, first + len(job.seeds))
        diverged = [net.diverged_[member] for member in members if member in net.diverged_]
        if diverged:
            fit.error = diverged[0]
        else:
            job.estimator._finish(job, net, first)
        first = members.stop


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
