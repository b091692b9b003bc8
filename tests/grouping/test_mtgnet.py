"""MTG-Net: its rules of choice, its baseline, its networks, bad input."""

import numpy as np
import pandas as pd
import pytest

from skmtl.grouping import MTGNet, estimate_gains, select_groups
from skmtl.grouping._gain_tables import all_groups
from skmtl.grouping.mtgnet._active import choose_next
from skmtl.grouping.mtgnet._networks import outputs_of
from skmtl.grouping.mtgnet._pairwise import PairwiseProcess
from tests._grouping import Procedure, fast, truth

N_TASKS = 5


@pytest.mark.parametrize(
    "net",
    [fast(rounds=2), MTGNet.paper(max_iter=5, rounds=2), MTGNet.released(max_iter=5, rounds=2)],
    ids=["default", "paper", "released"],
)
def test_mtgnet_measures_a_group_for_each_task_in_each_round(net):
    procedure = Procedure()
    gains, measured = estimate_gains(procedure, N_TASKS, net, random_state=0, return_measured=True)
    assert procedure.groups[0] == tuple(range(N_TASKS))
    assert len(procedure.groups) == len(set(procedure.groups)) == 2 * N_TASKS + 1
    n_chosen = 2 * N_TASKS if net.verification == 0 else N_TASKS
    for number, group in enumerate(procedure.groups[1 : n_chosen + 1]):
        assert number % N_TASKS in group
    known = measured.to_numpy()
    np.testing.assert_array_equal(gains[known], truth(all_groups(N_TASKS))[known])
    assert np.isfinite(gains.to_numpy()[~known & gains.notna().to_numpy().any(axis=1)]).any()
    again = estimate_gains(Procedure(), N_TASKS, net, random_state=0)
    pd.testing.assert_frame_equal(gains, again)


def test_mtgnet_is_trained_after_each_group_at_first_and_once_a_round_later(monkeypatch):
    sizes = []
    fit = MTGNet.fit

    def counted(self, groups, *args):
        sizes.append(len(groups))
        return fit(self, groups, *args)

    monkeypatch.setattr(MTGNet, "fit", counted)
    net = MTGNet.paper(embedding_dim=8, max_iter=5, rounds=2)
    estimate_gains(Procedure(), 4, net, random_state=0)
    # 1 to N + 1 groups, then at the end of the second round
    assert sizes == [1, 2, 3, 4, 5, 9]


def test_verification_measures_what_would_be_selected():
    procedure = Procedure()
    net = fast(verification=1.0, rounds=3)
    gains, measured = estimate_gains(procedure, N_TASKS, net, random_state=0, return_measured=True)
    # after so many rounds most selected groups were measured
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
        return choose_next(net, rows, 0, number, (mean, deviation), rng)

    assert chosen("upper_bound") == 2
    assert chosen("largest") == 1
    assert [chosen("extremes", n) for n in range(2)] == [1, 3]
    draws = np.bincount([chosen("sample") for _ in range(2000)], minlength=4) / 2000
    expected = np.exp(25 * np.abs(mean[:, 0]))
    np.testing.assert_allclose(draws, expected / expected.sum(), atol=0.03)
    assert set(chosen("random") for _ in range(100)) == {0, 1, 2, 3}


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
    sample = groups[rng.permutation(len(groups))[:5]]
    for one, two in zip(process.predict(sample), other.predict(sample), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-8)
    # held-out errors: as if fitted without the group
    errors = process.held_out_errors(gains)
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
        np.testing.assert_allclose(errors[k], expected, atol=1e-8)


def test_mtgnet_without_baseline_learns_its_examples():
    groups = all_groups(4)[4:]
    net = MTGNet.paper(embedding_dim=16, max_iter=800, random_state=0).fit(groups, truth(groups))
    errors = net.predict(groups) - truth(groups)
    assert np.nanmean(errors**2) < 0.1 * np.nanvar(truth(groups))


def test_a_member_of_mtgnet_is_the_same_alone_and_among_others():
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
    # gains rise with the similarity of the metadata
    values = np.linspace(-1, 1, 7)[:, None]

    def procedure(groups):
        similarity = np.exp(-((values - values.T) ** 2) / 0.5)
        partners = groups[:, None] & ~np.eye(7, dtype=bool)
        mean = (partners * similarity).sum(2) / np.maximum(partners.sum(2), 1)
        return np.where(groups, mean - 0.3, np.nan)

    groups = all_groups(7, [2, 3])
    new = groups[:, -2]
    known = groups[~new][:, [0, 1, 2, 3, 4, 6]]
    order = [0, 1, 2, 3, 4, 6, 5]
    net = fast(random_state=0).fit(
        known, procedure(groups[~new])[:, order[:-1]], metadata=values[order[:-1]]
    )
    predicted = net.predict(groups[new][:, order], metadata=values[order])
    wanted = procedure(groups[new])[:, order]
    of_new = predicted[:, -1], wanted[:, -1]
    assert np.corrcoef(*of_new)[0, 1] > 0.8


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
