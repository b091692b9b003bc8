"""Gains by linear models in the gradients of one network, against regressions of each group."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

from skmtl import MultiTaskClassifier, MultiTaskRegressor, TaskGrouper
from skmtl.architectures import SharedBottom, SingleNetwork
from skmtl.datasets import make_related_tasks
from skmtl.grouping import Linearised, estimate_gains
from skmtl.grouping._gain_tables import all_groups
from skmtl.grouping._linear_scores import gradients, random_directions
from skmtl.model_selection import TaskKFold
from skmtl.nn import ModuleInputs
from skmtl.training._predict import frozen
from tests._grouping import long_table, wide_table

N_TASKS = 4
ALPHA = 0.05


def network(*widths, **parameters):
    settings = {"max_iter": 10, "early_stopping": False, "random_state": 0, **parameters}
    return MultiTaskRegressor(SingleNetwork(hidden_layer_sizes=widths), task_id="task", **settings)


def slow_gains(model, X, y, weights, splits):
    """Ridge regressions of every group and fold, for a network that is linear in X."""
    task = X["task"].str[1:].astype(int).to_numpy()
    y, groups = y.to_numpy(), all_groups(N_TASKS)
    losses = np.zeros((len(splits), *groups.shape))
    for k, (train, valid) in enumerate(splits):
        start = clone(model).fit(X.iloc[train], y[train], sample_weight=weights[train])
        # the gradient by weights, bias, and weights of the indicators of tasks, in the units of y
        size, indicators = start._targets.parts[0].size[0], np.eye(N_TASKS)[task]
        J = np.column_stack([start._query(X).features, np.ones(len(X)), indicators]) * size
        e = y - start.predict(X)
        roots = np.sqrt(weights)
        penalty = ALPHA * (J[train] ** 2 * weights[train, None]).sum() / (J.shape[1] - 1)
        for g, group in enumerate(groups):
            rows = train[group[task[train]]]
            A = np.concatenate([J[rows] * roots[rows, None], np.sqrt(penalty) * np.eye(J.shape[1])])
            b = np.concatenate([e[rows] * roots[rows], np.zeros(J.shape[1])])
            change = np.linalg.lstsq(A, b)[0]
            for t in np.flatnonzero(group):
                held_out = valid[task[valid] == t]
                squared = (e[held_out] - J[held_out] @ change) ** 2
                losses[k, g, t] = np.average(squared, weights=weights[held_out])
    mean = losses.mean(axis=0)
    alone = np.diag(mean[:N_TASKS])
    return np.where(groups, (alone - mean) / alone, np.nan)


def test_gains_of_a_linear_network_are_those_of_ridge_regressions_of_each_group():
    X, y = long_table()
    weights = np.random.default_rng(0).uniform(0.5, 2, len(X))
    splits = list(TaskKFold("task", 3, shuffle=True, random_state=0).split(X, y))
    model = network()
    method = Linearised(training=1.0, alphas=(ALPHA,))
    procedure = method.procedure(model, X, y, weights, cv=splits)
    gains = estimate_gains(procedure, N_TASKS, method)
    expected = slow_gains(model, X, y, weights, splits)
    assert np.nanmax(expected) > 0.01
    np.testing.assert_allclose(gains, expected, atol=1e-7)
    # as in a grouper, which says what was trained
    grouper = TaskGrouper(model, 2, gains=method, cv=splits, compare=False, random_state=0)
    grouper.fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(grouper.gains_, expected, atol=1e-7)
    assert grouper.n_procedures_ == 1
    assert grouper.measured_.tolist() == [len(group) == 1 for group in grouper.gains_.index]
    errors = grouper.gains_ - grouper.gain_bounds_
    assert (errors.to_numpy()[N_TASKS:][expected[N_TASKS:] == expected[N_TASKS:]] > 0).all()
    assert (errors.to_numpy()[:N_TASKS][np.eye(N_TASKS, dtype=bool)] == 0).all()


def test_tasks_that_share_no_parameter_gain_nothing_in_wide_form():
    X, y = wide_table(missing=0.2)
    heads = MultiTaskRegressor(SharedBottom(hidden_layer_sizes=()), max_iter=20, random_state=0)
    method = Linearised(training=1.0, alphas=(ALPHA,))
    gains = estimate_gains(method.procedure(heads, X, y), N_TASKS, method)
    np.testing.assert_allclose(gains.to_numpy()[~gains.isna().to_numpy()], 0, atol=1e-7)
    trunk = clone(heads).set_params(architecture__hidden_layer_sizes=(3,))
    gains = estimate_gains(method.procedure(trunk, X, y), N_TASKS, method)
    assert np.nanmax(np.abs(gains)) > 1e-3


@pytest.mark.parametrize("n_components", [500, 7])
def test_derivatives_along_directions_are_those_of_torch(n_components):
    X, y = long_table()
    model = network(5)
    model.set_params(architecture__one_hot=False, architecture__activation="tanh").fit(X, y)
    directions = random_directions(model.module_, n_components, seed=0)
    found = gradients(model, X, directions)[0][:, :, 0]
    module = frozen(model.module_).requires_grad_(True)
    x = torch.from_numpy(model._query(X).features)[None, None]
    zero = torch.zeros(1, 1, dtype=torch.int64)
    outputs = module(*ModuleInputs(x, zero, zero, None)).reshape(-1)
    rows = [torch.autograd.grad(o, list(module.parameters()), retain_graph=True) for o in outputs]
    flat = np.array([np.concatenate([g.reshape(-1).numpy() for g in row]) for row in rows])
    matrix = np.concatenate([part.reshape(len(part), -1) for part in directions], axis=1)
    assert len(matrix) == min(n_components, flat.shape[1])
    size = model._targets.parts[0].size[0]
    np.testing.assert_allclose(found, matrix @ flat.T * size, atol=1e-7)


def test_families_are_found():
    made = make_related_tasks(6, 1.0, 8, n_groups=2, n_sines=1, n_rows=40, random_state=0)
    model = network(16, max_iter=60)
    grouper = TaskGrouper(model, 2, gains="linearised", compare=False, random_state=0)
    assert grouper.fit(made.data, made.target).groups_ == [(0, 1, 2), (3, 4, 5)]
    assert grouper.gains_method_ == "linearised"


def test_the_penalty_of_a_group_is_chosen_without_the_fold():
    X, y = long_table()
    model = network()
    one = [Linearised(alphas=(alpha,)) for alpha in (1e-3, 1e2)]
    scores = [m.procedure(model, X, y, random_state=0).__self__.trainer for m in one]
    groups = all_groups(N_TASKS)
    small, large = (each.scores_by_split(groups) for each in scores)
    both = Linearised(alphas=(1e-3, 1e2)).procedure(model, X, y, random_state=0)
    chosen = both.__self__.trainer.scores_by_split(groups)
    for found, *either in zip(chosen, small, large, strict=True):
        same = [np.isclose(found, values, equal_nan=True).all(axis=1) for values in either]
        assert np.logical_or(*same).all()
    # 100 times the curvature of all tasks changes next to nothing, and is never best
    np.testing.assert_allclose(chosen, small)


def test_what_has_no_gradients_or_another_loss_is_refused_by_name():
    X, y = long_table()
    forest = TaskGrouper(LinearRegression(), 2, gains="linearised", task_id="task")
    with pytest.raises(ValueError, match="LinearRegression is none. Use gains='hoa', 'mtgnet'"):
        forest.fit(X, y)
    robust = TaskGrouper(network(loss="huber"), 2, gains="linearised")
    with pytest.raises(ValueError, match="loss='huber' is another loss. Use gains='hoa'"):
        robust.fit(X, y)
    with pytest.raises(ValueError, match="scoring='r2' is another score"):
        TaskGrouper(network(), 2, gains="linearised", scoring="r2").fit(X, y)
    classes = MultiTaskClassifier(SingleNetwork(), task_id="task", max_iter=2)
    with pytest.raises(ValueError, match="MultiTaskClassifier does not minimise them"):
        TaskGrouper(classes, 2, gains="linearised").fit(X, y > 0)
    mixed = MultiTaskRegressor(SharedBottom(), max_iter=2)
    labels = pd.DataFrame({"a": y, "b": np.where(y > 0, "p", "n")})
    with pytest.raises(ValueError, match="of squared errors, and 'b' has classes"):
        TaskGrouper(mixed, 2, gains="linearised").fit(X.drop(columns="task"), labels)
    with pytest.raises(ValueError, match=r"this procedure has none: pass Linearised\(\).procedure"):
        estimate_gains(lambda groups: groups, 3, "linearised")
    with pytest.raises(ValueError, match="alphas must be numbers above 0"):
        TaskGrouper(network(), 2, gains=Linearised(alphas=(0.0,))).fit(X, y)
