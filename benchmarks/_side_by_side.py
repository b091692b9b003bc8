"""Runs of a benchmark that train side by side, as members of the same tensors."""

from skmtl._jobs import build_module, train

AT_ONCE = 20


def side_by_side(models, tables, at_once=AT_ONCE):
    """Fit each model on its table; models that can share a stack do.

    Parameters
    ----------
    models : list of estimators
    tables : list of tuples
        Arguments of ``fit``: X, y and perhaps weights and rows for validation.
    at_once : int
        Most models in a stack.

    Returns
    -------
    list of estimators
        The models, fitted.
    """
    jobs = [model._job(*table) for model, table in zip(models, tables, strict=True)]
    groups = {}
    for job in jobs:
        groups.setdefault(job.key(), []).append(job)
    for group in groups.values():
        for begin in range(0, len(group), at_once):
            some, first = group[begin : begin + at_once], 0
            net = train(some, build_module(some))
            for job in some:
                job.estimator._finish(job, net, first)
                first += len(job.seeds)
    return models
