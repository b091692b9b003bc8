"""Estimation of gains: each way against its formula, MTG-Net's rules of choice, bad input."""

import numpy as np
import pandas as pd
import pytest

from skmtl.grouping import MTGNet, estimate_gains, select_groups
from skmtl.grouping._active import _choose
from skmtl.grouping._estimate import default_candidates
from skmtl.grouping._gain_tables import all_groups
from skmtl.grouping._networks import outputs_of
from skmtl.grouping._pairwise import PairwiseProcess

N_TASKS = 5


def truth(groups, seed=0):
    """Gains that are means over partners, and an interaction of three tasks."""
    rng = np.random.default_rng(seed)
    by_pair = rng.normal(size=(groups.shape[1], groups.shape[1])) * 0.1
    partners = groups[:, None] & ~np.eye(groups.shape[1], dtype=bool)
    values = (partners * by_pair).sum(2) / np.maximum(partners.sum(2), 1)
    values[groups[:, :3].all(axis=1)] -= 0.05
    values[groups.sum(axis=1) == 1] = 0
    return np.where(groups, values, np.nan)


class Procedure:
    """Counts what it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, groups):
        self.asked += [tuple(np.flatnonzero(group).tolist()) for group in groups]
        return truth(groups)


def fast(**parameters):
    return MTGNet(**{"embedding_dim": 8, "max_iter": 10, "n_members": 2, **parameters})


def test_exhaustive_is_the_truth_and_asks_once_for_groups_of_several_tasks():
    procedure = Procedure()
    gains, measured = estimate_gains(procedure, N_TASKS, "exhaustive", return_measured=True)
    np.testing.assert_array_equal(gains.to_numpy(), truth(all_groups(N_TASKS)))
    assert len(procedure.asked) == len(set(procedure.asked)) == 2**N_TASKS - 1 - N_TASKS
    assert measured.all()
    assert gains.index[-1] == tuple(range(N_TASKS))


def test_high_order_approximation_is_the_mean_over_pairs():
    procedure = Procedure()
    gains = estimate_gains(procedure, N_TASKS, "hoa")
    assert sorted(map(len, procedure.asked)) == [2] * 10
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
    assert not procedure.asked
    again = estimate_gains(procedure, N_TASKS, "random", random_state=0)
    pd.testing.assert_frame_equal(gains, again)


@pytest.mark.parametrize(
    "net", [fast(), MTGNet.paper(max_iter=5), MTGNet.released(max_iter=5)], ids=["own", "p", "r"]
)
def test_mtgnet_measures_a_group_for_each_task_in_each_round(net):
    procedure = Procedure()
    gains, measured = estimate_gains(
        procedure, N_TASKS, net, rounds=2, random_state=0, return_measured=True
    )
    assert procedure.asked[0] == tuple(range(N_TASKS))
    assert len(procedure.asked) == len(set(procedure.asked)) == 2 * N_TASKS + 1
    n_chosen = 2 * N_TASKS if net.verification == 0 else N_TASKS
    for number, group in enumerate(procedure.asked[1 : n_chosen + 1]):
        assert number % N_TASKS in group
    known = measured.to_numpy()
    np.testing.assert_array_equal(gains[known], truth(all_groups(N_TASKS))[known])
    assert np.isfinite(gains.to_numpy()[~known & gains.notna().to_numpy().any(axis=1)]).any()
    again = estimate_gains(Procedure(), N_TASKS, net, rounds=2, random_state=0)
    pd.testing.assert_frame_equal(gains, again)


def test_mtgnet_measures_as_many_groups_as_there_are_pairs_by_default():
    procedure = Procedure()
    estimate_gains(procedure, N_TASKS, fast(), random_state=0)
    assert len(procedure.asked) == 10 + 1


def test_mtgnet_is_trained_after_each_group_at_first_and_once_a_round_later(monkeypatch):
    sizes = []
    fit = MTGNet.fit

    def counted(self, groups, *args):
        sizes.append(len(groups))
        return fit(self, groups, *args)

    monkeypatch.setattr(MTGNet, "fit", counted)
    net = MTGNet.paper(embedding_dim=8, max_iter=5)
    estimate_gains(Procedure(), 4, net, rounds=2, random_state=0)
    # 1 to N + 1 groups, then at the end of the second round
    assert sizes == [1, 2, 3, 4, 5, 9]


def test_verification_measures_what_would_be_selected():
    procedure = Procedure()
    net = fast(verification=1.0)
    gains, measured = estimate_gains(
        procedure, N_TASKS, net, rounds=3, random_state=0, return_measured=True
    )
    # with so many rounds nothing is selected on trust
    for limit in (2, 3, 4):
        chosen = select_groups(gains, limit)
        assert measured[gains.index.isin(chosen)].mean() > 0.5
    known = measured.sum() - N_TASKS
    assert known == 3 * N_TASKS + 1


def test_what_is_measured_next():
    mean = np.array([[0.3], [-0.5], [0.1], [0.0]])
    deviation = np.array([[0.0], [0.1], [0.3], [0.0]])
    rows, rng = np.arange(4), np.random.RandomState(0)

    def chosen(acquisition, number=0):
        net = MTGNet(acquisition=acquisition, exploration=2.0)
        return _choose(net, rows, 0, number, (mean, deviation), rng)

    assert chosen("upper_bound") == 2
    assert chosen("largest") == 1
    assert [chosen("extremes", n) for n in range(2)] == [1, 3]
    draws = np.bincount([chosen("sample") for _ in range(2000)], minlength=4) / 2000
    expected = np.exp(25 * np.abs(mean[:, 0]))
    np.testing.assert_allclose(draws, expected / expected.sum(), atol=0.03)
    assert set(chosen("random") for _ in range(100)) == {0, 1, 2, 3}


def test_known_gains_may_come_from_a_table():
    groups = all_groups(4)
    table = dict(zip(map(bytes, groups), truth(groups), strict=True))
    gains = estimate_gains(
        lambda asked: np.array([table[bytes(g)] for g in asked]), 4, "exhaustive"
    )
    exact = pd.DataFrame(truth(groups))
    assert select_groups(gains, 2) == select_groups(exact, 2)


def test_a_function_may_be_the_method():
    def half(procedure, candidates):
        return 0.5 * procedure(candidates)

    gains = estimate_gains(Procedure(), 3, half)
    np.testing.assert_allclose(gains.to_numpy(), 0.5 * truth(all_groups(3)))


def test_candidates_of_many_tasks_are_distinct_and_hold_those_alone_pairs_and_all():
    candidates = default_candidates(15, np.random.RandomState(0))
    assert len(candidates) == len(np.unique(candidates, axis=0)) == 3000
    sizes = candidates.sum(axis=1)
    assert (sizes == 1).sum() == 15
    assert (sizes == 2).sum() == 105
    assert (sizes == 15).sum() == 1


def test_pairwise_process_is_a_gaussian_process():
    rng = np.random.default_rng(0)
    groups = all_groups(4)[4:]
    gains = truth(groups)
    process = PairwiseProcess(np.eye(4)).fit(groups, gains)
    # tasks are independent, or one large system: the same
    other = PairwiseProcess(np.eye(4))
    other.independent = False
    other.fit(groups, gains)
    assert other.variances == process.variances
    asked = groups[rng.permutation(len(groups))[:5]]
    for one, two in zip(process.predict(asked), other.predict(asked), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-8)
    # what is left out: as if fitted without the group
    missed = process.left_out(gains)
    for k in (0, 5):
        rest = np.arange(len(groups)) != k
        part = PairwiseProcess(np.eye(4))
        part.examples = process.examples.take(process.examples.groups != k)
        trend = process._trend(groups[rest]) @ process.slopes
        y = (gains[rest][groups[rest]] - trend) / process.scale
        part.share = process.share
        part.slopes, part.scale, part.variances = process.slopes, process.scale, process.variances
        part.blocks = part._solve(process.variances, process.noise, y)
        expected = gains[k] - part.predict(groups[k : k + 1])[0][0]
        np.testing.assert_allclose(missed[k], expected, atol=1e-8)


def test_mtgnet_without_baseline_learns_its_examples():
    groups = all_groups(4)[4:]
    net = MTGNet.paper(embedding_dim=16, max_iter=800, random_state=0).fit(groups, truth(groups))
    errors = net.predict(groups) - truth(groups)
    assert np.nanmean(errors**2) < 0.1 * np.nanvar(truth(groups))


def test_a_member_of_mtgnet_is_the_same_alone_and_in_company():
    groups = all_groups(4)
    gains = truth(groups)
    one = MTGNet.paper(n_members=1, embedding_dim=8, max_iter=30, random_state=3).fit(groups, gains)
    two = MTGNet.paper(n_members=3, embedding_dim=8, max_iter=30, random_state=3).fit(groups, gains)
    alone = outputs_of(one.module_, groups, None)[0]
    np.testing.assert_allclose(outputs_of(two.module_, groups, None)[0], alone, atol=1e-5)


def test_gains_do_not_depend_on_the_order_of_the_tasks_of_a_group_and_singletons_gain_nothing():
    net = fast(random_state=0).fit(all_groups(4)[4:], truth(all_groups(4)[4:]))
    alone, deviation = net.predict(np.eye(4, dtype=bool), return_std=True)
    assert (np.diag(alone) == 0).all()
    assert (np.diag(deviation) == 0).all()
    encoded = net.encode(all_groups(4))
    assert encoded.shape == (15, 4, 8)
    assert (np.isnan(encoded).all(axis=2) == ~all_groups(4)).all()


def test_gains_of_a_new_task_are_predicted_from_its_metadata():
    # gains rise with the likeness of the facts
    facts = np.linspace(-1, 1, 7)[:, None]

    def procedure(groups):
        likeness = np.exp(-((facts - facts.T) ** 2) / 0.5)
        partners = groups[:, None] & ~np.eye(7, dtype=bool)
        mean = (partners * likeness).sum(2) / np.maximum(partners.sum(2), 1)
        return np.where(groups, mean - 0.3, np.nan)

    groups = all_groups(7, [2, 3])
    new = groups[:, -2]
    known = groups[~new][:, [0, 1, 2, 3, 4, 6]]
    order = [0, 1, 2, 3, 4, 6, 5]
    net = fast(random_state=0).fit(
        known, procedure(groups[~new])[:, order[:-1]], metadata=facts[order[:-1]]
    )
    predicted = net.predict(groups[new][:, order], metadata=facts[order])
    wanted = procedure(groups[new])[:, order]
    of_new = predicted[:, -1], wanted[:, -1]
    assert np.corrcoef(*of_new)[0, 1] > 0.8


def bad_shape(groups):
    return truth(groups)[:, :-1]


def not_finite(groups):
    return np.full(groups.shape, np.nan)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"procedure": 3}, TypeError, "procedure must be callable"),
        ({"n_tasks": 1}, ValueError, "one task has no group"),
        ({"rounds": -1}, ValueError, "rounds must be"),
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
        ({"method": fast(), "metadata": np.ones((3, 1))}, ValueError, "one row for each"),
    ],
)
def test_bad_input(change, error, message):
    with pytest.raises(error, match=message):
        estimate_gains(**{"procedure": truth, "n_tasks": 4, "method": "exhaustive", **change})


def test_bad_input_of_mtgnet():
    groups = all_groups(3)
    with pytest.raises(ValueError, match="gains has the shape"):
        fast().fit(groups, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="must be finite for every task"):
        fast().fit(groups, np.full(groups.shape, np.nan))
    with pytest.raises(ValueError, match="boolean array"):
        fast().fit(groups.astype(int), truth(groups))
    net = fast().fit(groups, truth(groups))
    with pytest.raises(ValueError, match="groups has 4 tasks"):
        net.predict(all_groups(4))
    with pytest.raises(ValueError, match="no task at all"):
        net.predict(np.zeros((1, 3), dtype=bool))
    with pytest.raises(ValueError, match="fit saw no metadata"):
        net.predict(groups, metadata=np.ones((3, 1)))
