"""Training of groups: the same alone, with others and in processes."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error

from skmtl import MultiTaskRegressor
from skmtl.grouping._adapters import WideModel
from skmtl.grouping._data import LongData, WideData
from skmtl.grouping._gain_tables import all_groups
from skmtl.grouping._trainer import GroupTrainer
from tests._architectures import shared_bottom
from tests._grouping import SMALL, long_table, wide_table


def test_several_splits_and_repeats_are_averaged():
    X, y = wide_table(60, 2)
    base = shared_bottom(hidden_layer_sizes=(4,), max_iter=5)
    data, groups = WideData(X, y), all_groups(2)
    splits = [(np.arange(40), np.arange(40, 60)), (np.arange(20, 60), np.arange(20))]
    both = GroupTrainer(base, data, splits, seeds=[1, 2]).scores(groups)
    apart = [
        GroupTrainer(base, data, [split], seeds=[seed]).scores(groups)
        for split in splits
        for seed in (1, 2)
    ]
    np.testing.assert_allclose(both, np.mean(apart, axis=0))


@pytest.mark.parametrize("form", ["wide", "long"])
def test_a_group_is_trained_as_it_is_alone(form):
    settings = {**SMALL, "max_iter": 2}
    if form == "wide":
        X, y = wide_table(missing=0.2)
        estimator, data = shared_bottom(**settings), WideData(X, y)
    else:
        X, y = long_table()
        estimator = shared_bottom(task_id="task", **settings)
        data = LongData(X, y, None, "task")
    splits, groups = data.splits(2, 0), all_groups(4)
    together = GroupTrainer(estimator, data, splits).scores(groups)
    for max_members in (1, 5):
        trainer = GroupTrainer(estimator, data, splits, max_members=max_members)
        scores = trainer.scores(groups[::3])
        # batches are padded to the longest of those that train along, which moves the last bit
        np.testing.assert_allclose(scores, together[::3], rtol=1e-6 if form == "wide" else 1e-4)
    if form == "wide":
        # as an ordinary fit of the columns
        train, valid = splits[0]
        one = GroupTrainer(estimator, data, splits[:1]).scores(groups[6:7])
        names = data.tasks[groups[6]]
        rows = train[y[names].iloc[train].notna().any(axis=1)]
        model = clone(estimator).fit(X.iloc[rows], y[names].iloc[rows])
        for task in names:
            rows = valid[y[task].iloc[valid].notna()]
            loss = mean_squared_error(y[task].iloc[rows], model.predict(X.iloc[rows])[task])
            assert -one[0][data.tasks.get_loc(task)] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("estimator", [Ridge(), shared_bottom(**SMALL)])
def test_processes_train_the_same_groups(estimator):
    X, y = wide_table(60, 3)
    data = WideData(X, y)
    splits = data.splits(None, 0)
    results = [
        GroupTrainer(
            estimator if isinstance(estimator, MultiTaskRegressor) else WideModel(estimator),
            data,
            splits,
            n_jobs=n_jobs,
            max_members=2,
        ).scores(all_groups(3))
        for n_jobs in (None, 2)
    ]
    np.testing.assert_array_equal(*results)
