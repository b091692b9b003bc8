"""Estimation of gains: each way against its formula, objects of the user's own, bad input."""

import numpy as np
import pandas as pd
import pytest

from skmtl.grouping import GainEstimate, GainEstimator, MTGNet, estimate_gains, select_groups
from skmtl.grouping._gain_tables import all_groups, default_candidates
from tests._grouping import Procedure, fast, truth

N_TASKS = 5


def test_exhaustive_is_the_truth_and_measures_groups_of_several_tasks_once():
    procedure = Procedure()
    gains, measured = estimate_gains(procedure, N_TASKS, "exhaustive", return_measured=True)
    np.testing.assert_array_equal(gains.to_numpy(), truth(all_groups(N_TASKS)))
    assert len(procedure.groups) == len(set(procedure.groups)) == 2**N_TASKS - 1 - N_TASKS
    assert measured.all()
    assert gains.index[-1] == tuple(range(N_TASKS))


def test_high_order_approximation_is_the_mean_over_pairs():
    procedure = Procedure()
    gains = estimate_gains(procedure, N_TASKS, "hoa")
    assert sorted(map(len, procedure.groups)) == [2] * 10
    pairs = {k: gains.iloc[k] for k in range(len(gains)) if len(gains.index[k]) == 2}
    for row, group in enumerate(gains.index):
        for task in group:
            partners = [u for u in group if u != task]
            means = [
                pair[task]
                for k, pair in pairs.items()
                if task in gains.index[k] and set(gains.index[k]) & set(partners)
            ]
            expected = np.mean(means) if partners else 0.0
            assert gains.iloc[row][task] == pytest.approx(expected)


def test_affinity_is_the_mean_over_the_tasks_that_step():
    rng = np.random.default_rng(0)
    affinity = rng.normal(size=(3, 3))
    gains = estimate_gains(Procedure(), 3, "tag", affinity=affinity)
    assert [len(group) for group in gains.index] == [2, 2, 2, 3]
    assert gains.loc[[(0, 1, 2)], 0].item() == pytest.approx((affinity[1, 0] + affinity[2, 0]) / 2)
    assert gains.loc[[(0, 2)], 2].item() == pytest.approx(affinity[0, 2])


def test_random_gains_need_no_procedure():
    procedure = Procedure()
    gains = estimate_gains(procedure, N_TASKS, "random", random_state=0)
    assert not procedure.groups
    again = estimate_gains(procedure, N_TASKS, "random", random_state=0)
    pd.testing.assert_frame_equal(gains, again)


def test_mtgnet_measures_as_many_groups_as_there_are_pairs_by_default():
    procedure = Procedure()
    estimate_gains(procedure, N_TASKS, fast(), random_state=0)
    assert len(procedure.groups) == 10 + 1


def test_known_gains_may_come_from_a_table():
    groups = all_groups(4)
    table = dict(zip(map(bytes, groups), truth(groups), strict=True))
    gains = estimate_gains(lambda new: np.array([table[bytes(g)] for g in new]), 4, "exhaustive")
    exact = pd.DataFrame(truth(groups))
    assert select_groups(gains, 2) == select_groups(exact, 2)


def test_a_function_may_be_the_method():
    def half(measurements, candidates):
        return 0.5 * measurements(candidates)

    gains = estimate_gains(Procedure(), 3, half)
    np.testing.assert_allclose(gains.to_numpy(), 0.5 * truth(all_groups(3)))


def test_candidates_of_many_tasks_are_distinct_and_hold_those_alone_pairs_and_all():
    candidates = default_candidates(15, np.random.RandomState(0))
    assert len(candidates) == len(np.unique(candidates, axis=0)) == 3000
    sizes = candidates.sum(axis=1)
    assert (sizes == 1).sum() == 15
    assert (sizes == 2).sum() == 105
    assert (sizes == 15).sum() == 1


def bad_shape(groups):
    return truth(groups)[:, :-1]


def not_finite(groups):
    return np.full(groups.shape, np.nan)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"procedure": 3}, TypeError, "procedure must be callable"),
        ({"n_tasks": 1}, ValueError, "one task has no group"),
        ({"method": "best"}, ValueError, "method must be one of"),
        ({"method": "tag"}, ValueError, "needs affinity"),
        ({"method": "tag", "affinity": np.eye(3)}, ValueError, r"shape \(3, 3\)"),
        ({"procedure": bad_shape}, ValueError, "returned an array of the shape"),
        ({"procedure": not_finite}, ValueError, "no finite gain of task 0"),
        ({"candidates": np.eye(4)}, ValueError, "boolean array with 4 columns"),
        ({"candidates": np.eye(4, dtype=bool)[:3]}, ValueError, "in none of the candidates"),
        ({"candidates": np.ones((2, 4), dtype=bool)}, ValueError, "the same group twice"),
        ({"candidates": np.zeros((1, 4), dtype=bool)}, ValueError, "without any task"),
        ({"method": MTGNet(n_layers=0)}, ValueError, "n_layers"),
        ({"method": MTGNet(rounds=-1)}, ValueError, "rounds"),
        ({"method": MTGNet}, ValueError, "method must be one of"),
        ({"method": fast(), "metadata": np.ones((3, 1))}, ValueError, "one row for each"),
    ],
)
def test_bad_input(change, error, message):
    with pytest.raises(error, match=message):
        estimate_gains(**{"procedure": truth, "n_tasks": 4, "method": "exhaustive", **change})


class MeanOfSizes(GainEstimator):
    """Measure the pairs and the group of all tasks, and interpolate by size."""

    def __init__(self, weight=1.0):
        self.weight = weight

    def first_groups(self, candidates):
        n_tasks = candidates.shape[1]
        return all_groups(n_tasks, [1, 2, n_tasks])

    def estimate(self, measurements, candidates, *, context):
        n_tasks = candidates.shape[1]
        measured = all_groups(n_tasks, [2, n_tasks])
        gains, sizes = measurements(measured), measured.sum(axis=1)
        pairs = np.nanmean(gains[sizes == 2], axis=0)
        share = (candidates.sum(axis=1, keepdims=True) - 2) / (n_tasks - 2)
        predicted = pairs + self.weight * share * (gains[sizes == n_tasks] - pairs)
        return GainEstimate(candidates, measurements.merged(candidates, predicted))


def test_an_estimator_of_the_user():
    procedure = Procedure()
    gains, measured = estimate_gains(procedure, 4, MeanOfSizes(0.5), return_measured=True)
    assert sorted(map(len, procedure.groups)) == [2] * 6 + [4]
    assert measured.sum() == 4 + 6 + 1
    pairs = all_groups(4, [2])
    mean = np.nanmean(truth(pairs), axis=0)
    expected = mean + 0.25 * (truth(np.ones((1, 4), dtype=bool))[0] - mean)
    np.testing.assert_allclose(gains.loc[[(0, 1, 2)]].to_numpy()[0, :3], expected[:3])
    assert MeanOfSizes().n_procedures(all_groups(4)) == 4 + 6 + 1


def test_an_estimate_has_a_gain_for_every_candidate():
    with pytest.raises(ValueError, match=r"have the shape \(3, 3\), but the candidates \(7, 3\)"):
        estimate_gains(Procedure(), 3, lambda measurements, candidates: np.eye(3))
