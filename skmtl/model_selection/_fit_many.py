"""Fit several estimators in one training run."""

from numbers import Integral

from skmtl._estimators.base import COLUMNS, BaseMultiTaskEstimator
from skmtl._estimators.shared import check_resumable
from skmtl._persistence import checkpointing
from skmtl.model_selection._fits import Fit, seed_key, share_rows, structure, train_fits
from skmtl.model_selection._memory import fits_in_block, members_in_memory
from skmtl.model_selection._pipelines import digest
from skmtl.training._device import in_own_state


@in_own_state
def fit_many(
    estimators,
    X,
    y=None,
    sample_weight=None,
    X_val=None,
    y_val=None,
    *,
    max_members="auto",
    checkpoint_dir=None,
):
    """Fit several estimators, as many as possible in one training run.

    Networks of small tables cost more in calls than in arithmetic, so that many of them train
    together in hardly more time than one. Each estimator ends as its own ``fit`` would have left
    it.

    Estimators train together if they are of one class and all that decides shapes is the same:
    the settings of their networks, the number of features, of outputs and, for most
    architectures, of tasks. They may differ in ``random_state``, ``learning_rate_init``,
    ``alpha``, ``weight_averaging`` and the strengths of penalties, and in the rows that they
    train on. Others are split into several runs.

    Parameters
    ----------
    estimators : sequence of estimators of skmtl
        They are fitted in place.
    X : table of shape (n, n_columns), or list of tuples
        Features, task id and metadata for all estimators; or, if `y` is None, the arguments of
        ``fit`` for each estimator: ``(X, y)``, or up to
        ``(X, y, sample_weight, X_val, y_val)``.
    y : array-like, optional
        Labels for all estimators.
    sample_weight : array-like, optional
        Weights of the rows, as in ``fit``.
    X_val, y_val : as X and y, optional
        Rows for early stopping, as in ``fit``.
    max_members : int or "auto", default="auto"
        Largest number of networks in one run; "auto" derives it from cores and free memory.
    checkpoint_dir : path-like, default=None
        Folder in which runs that are finished are kept, and the state of others about every 30
        seconds, until all estimators are fitted: after a crash the same call, on the same data,
        goes on from there. By default that of the first estimator. See :doc:`/saving`.

    Returns
    -------
    list of estimators
        Those given, fitted.

    Raises
    ------
    ValueError, TypeError
        If an estimator, a table or a parameter cannot be used.
    DivergenceError
        If an estimator diverges; the others are fitted all the same. An estimator that is not
        fitted stays as it was.

    See Also
    --------
    BatchedGridSearchCV : Compare settings by cross-validation in one training run.

    Notes
    -----
    Predictions equal those of separate fits up to the rounding of matrix products. Estimators
    with ``callbacks``, or with ``warm_start=True`` and fitted before, train on their own.

    Examples
    --------
    Ten draws of the training rows of ten small tasks:

    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.model_selection import fit_many
    >>> tables = [make_cubic(n_tasks=10, n_rows=20, random_state=seed) for seed in range(10)]
    >>> models = [
    ...     MultiTaskHypernetRegressor(task_id="task", max_iter=20, random_state=seed)
    ...     for seed in range(10)
    ... ]
    >>> models = fit_many(models, [(table.data, table.target) for table in tables])
    >>> models[3].predict(tables[3].data).shape
    (200,)
    """
    estimators = list(estimators)
    tables = _tables(estimators, X, y, sample_weight, X_val, y_val)
    _check(estimators, max_members)
    if checkpoint_dir is None and estimators:
        checkpoint_dir = estimators[0].checkpoint_dir
    if checkpoint_dir is not None:
        for model in estimators:
            check_resumable(model)
    with checkpointing(checkpoint_dir, in_blocks=True):
        _fit_together(estimators, tables, max_members)
    return estimators


def _fit_together(estimators, tables, max_members):
    """Fit estimators on their tables; those that fail stay as they were."""
    columns = [
        {name: vars(model)[name] for name in COLUMNS if name in vars(model)} for model in estimators
    ]
    fits = [Fit({}, 0, None, None, model=model) for model in estimators]
    try:
        together = _prepare(fits, tables)
        for group in together:
            most = _most_members(group[0].plan, max_members)
            for begin in range(0, len(group), most):
                train_fits(group[begin : begin + most])
        for fit, table in zip(fits, tables, strict=True):
            if fit.plan is None:
                fit.model.fit(*table)
                fit.done = True
    finally:
        for fit, before in zip(fits, columns, strict=True):
            if not fit.done:
                for name in COLUMNS:
                    vars(fit.model).pop(name, None)
                vars(fit.model).update(before)
    for fit in fits:
        if fit.error is not None:
            raise fit.error


def _tables(estimators, X, y, sample_weight, X_val, y_val):
    """Return the arguments of ``fit`` for each estimator, as tuples."""
    if y is not None:
        return [(X, y, sample_weight, X_val, y_val)] * len(estimators)
    if sample_weight is not None or X_val is not None or y_val is not None:
        raise ValueError(
            "with a list of (X, y), give weights and validation rows in its tuples: "
            "(X, y, sample_weight, X_val, y_val)."
        )
    if not isinstance(X, list | tuple) or not all(
        isinstance(table, list | tuple) and 2 <= len(table) <= 5 for table in X
    ):
        raise ValueError("without y, X must be a list of tuples (X, y), one for each estimator.")
    if len(X) != len(estimators):
        raise ValueError(f"there are {len(estimators)} estimators, but {len(X)} pairs (X, y).")
    return [tuple(table) for table in X]


def _check(estimators, max_members):
    """Refuse what cannot train together."""
    for model in estimators:
        if not isinstance(model, BaseMultiTaskEstimator):
            raise TypeError(f"fit_many fits estimators of skmtl; got {type(model).__name__}.")
    if len({id(model) for model in estimators}) < len(estimators):
        raise ValueError("an estimator occurs twice; pass clones (sklearn.base.clone).")
    if max_members != "auto" and (not isinstance(max_members, Integral) or max_members < 1):
        raise ValueError(f"max_members must be 'auto' or an int of at least 1; got {max_members}.")


def _prepare(fits, tables):
    """Check and encode what each fit trains on; return lists of fits of equal shapes."""
    groups, prepared = {}, {}
    for fit, table in zip(fits, tables, strict=True):
        model = fit.model
        if model.callbacks or (model.warm_start and hasattr(model, "module_")):
            continue
        # estimators that read one table in one way share its rows
        key = *map(id, table), structure(model, {}), seed_key(model)
        if key in prepared:
            fit.plan = share_rows(model, *prepared[key])
        else:
            fit.plan = model._plan(*table)
            if key[-1] is not None:
                prepared[key] = fit.plan, model
        groups.setdefault(digest(fit.plan.key), []).append(fit)
    return list(groups.values())


def _most_members(plan, max_members):
    """Return how many estimators like that of `plan` train in one run."""
    most = fits_in_block(plan.estimator, max_members)
    return max(1, min(most, members_in_memory(plan, 1) // plan.n_members))
