"""Gain estimators in `TaskGrouper`: their contract, the registry, and gains without a grouper."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from skmtl import TaskGrouper, grouping
from skmtl.grouping import Exhaustive, GainEstimate, GainEstimator, MTGNet
from skmtl.grouping._estimate import candidate_groups, estimate_with_trainer
from skmtl.grouping._gain_tables import all_groups
from skmtl.grouping.gains import GAIN_ESTIMATORS, get_gain_estimator
from tests._architectures import shared_bottom
from tests._grouping import SMALL, fast, truth, wide_table

TASKS = pd.Index(list("abcd"))


class Trainer:
    """Stand-in whose scores give the gains of `truth`."""

    cache, splits = None, [None]

    def __init__(self):
        self.data, self.trained = SimpleNamespace(tasks=TASKS), set()
        self.n_calls = 0

    @property
    def n_groups(self):
        return len(self.trained)

    n_trained = n_groups

    def scores(self, groups):
        new = {group.tobytes() for group in groups} - self.trained
        self.n_calls += bool(new)
        self.trained |= new
        return truth(groups) + np.where(groups, 1.0, np.nan)

    def affinity(self):
        rng = np.random.default_rng(0)
        return pd.DataFrame(rng.normal(size=(4, 4)), index=TASKS[::-1], columns=TASKS)


class Linearised(grouping.Linearised):
    """Linear models, with a stand-in for their scores, too."""

    def scored_by(self, trainer):
        return Trainer()


@pytest.mark.parametrize("name", GAIN_ESTIMATORS)
def test_every_estimator_keeps_its_contract(name):
    estimator = get_gain_estimator(name)
    assert isinstance(estimator, GainEstimator)
    assert repr(clone(estimator)) == repr(estimator)
    if name == "mtgnet":
        estimator = fast(rounds=1)
    if name == "linearised":
        estimator = Linearised()
    trainer, candidates = Trainer(), all_groups(4)
    first = estimator.first_groups(candidates)
    assert first.dtype == bool
    assert first.shape[1] == 4
    rng = np.random.RandomState(0)
    result = estimate_with_trainer(estimator, trainer, candidates, rng, max_groups=2)
    assert result.method == type(estimator).__name__
    assert result.n_procedures == estimator.n_procedures(candidates)
    assert (result.affinity is not None) == estimator.needs_affinity
    assert (result.model is not None) == (name == "mtgnet")
    members = [[task in group for task in TASKS] for group in result.gains.index]
    np.testing.assert_array_equal(result.gains.notna(), members)
    if name == "linearised":
        assert not result.measured[np.sum(members, axis=1) > 1].any()
    measured = result.measured.to_numpy() & (np.sum(members, axis=1) > 1)
    np.testing.assert_allclose(result.gains[measured], truth(np.array(members))[measured])
    if name not in ("linearised", "mtgnet", "random", "tag"):
        # everything is trained in one call
        assert trainer.n_calls == 1


@pytest.mark.parametrize("method", ["best", Exhaustive, 3])
def test_what_is_no_gain_estimator_is_refused(method):
    with pytest.raises(ValueError, match="must be one of .*'mtgnet'.* an object such as MTGNet()"):
        get_gain_estimator(method)


def test_objects_are_used_as_they_are():
    net = MTGNet(rounds=2)
    assert get_gain_estimator(net) is net


def test_auto_trains_everything_if_that_fits_into_the_time():
    candidates = all_groups(4)
    for budget, method in ((60.0, "exhaustive"), (0.0, "mtgnet")):
        rng, settings = np.random.RandomState(0), {"time_budget": budget, "max_groups": 2}
        result = estimate_with_trainer("auto", Trainer(), candidates, rng, **settings)
        assert result.method == method


def test_candidates_are_parsed_and_must_have_every_task():
    groups = [("b", "a"), ("c", "d"), ("a", "b")]
    candidates = candidate_groups(groups, TASKS, None)
    np.testing.assert_array_equal(
        candidates, [[False, False, True, True], [True, True] + [False] * 2]
    )
    with pytest.raises(ValueError, match=r"in none of the candidates: \['c', 'd'\]"):
        candidate_groups(groups[:1], TASKS, None)


class Affine(GainEstimator):
    """Measure pairs and predict all groups by the mean gain of a task, shifted."""

    def __init__(self, shift=0.0):
        self.shift = shift

    def first_groups(self, candidates):
        return all_groups(candidates.shape[1], [1, 2])

    def estimate(self, measurements, candidates, *, context):
        mean = np.nanmean(measurements(all_groups(candidates.shape[1], [2])), axis=0)
        return GainEstimate(candidates, np.tile(mean + self.shift, (len(candidates), 1)))


def test_a_grouper_takes_an_estimator_of_the_user():
    X, y = wide_table()
    model = TaskGrouper(
        shared_bottom(**SMALL), 2, gains=Affine(0.1), compare=False, random_state=0
    ).fit(X, y)
    exact = clone(model).set_params(gains="hoa").fit(X, y)
    assert model.n_procedures_ == exact.n_procedures_ == 4 + 6
    assert model.gains_method_ == "Affine"
    assert model.gain_model_ is None
    pairs = exact.gains_[[len(group) == 2 for group in exact.gains_.index]]
    np.testing.assert_allclose(model.gains_.max(), pairs.mean() + 0.1)
    assert model.set_params(gains__shift=1.0).gains.shift == 1.0
