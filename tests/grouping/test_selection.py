"""Selection of groups: published choices, brute force as the oracle, bad input."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skmtl.grouping import assign_tasks, select_groups
from skmtl.grouping.selection._bound import Bound
from skmtl.grouping.selection._exact import _Problem, choose_exactly


@st.composite
def gain_tables(draw):
    n_tasks = draw(st.integers(2, 6))
    groups = [g for g in itertools.product([False, True], repeat=n_tasks) if any(g)]
    rows = draw(st.lists(st.sampled_from(groups), min_size=1, max_size=12, unique=True))
    members = np.array(rows)
    if not members.any(axis=0).all():
        members = np.vstack([members, np.ones((1, n_tasks), dtype=bool)])
    # few distinct values make many ties; others differ by more than is lost when they are added up
    thousandths = st.integers(-1_000_000, 1_000_000).map(lambda n: n / 1000)
    numbers = draw(st.sampled_from([st.integers(-2, 2).map(float), thousandths]))
    values = draw(
        st.lists(numbers, min_size=members.size, max_size=members.size).map(np.array)
    ).reshape(members.shape)
    return pd.DataFrame(np.where(members, values, np.nan), columns=list("abcdef")[:n_tasks])


def score_of(values, rows):
    covered = ~np.isnan(values[list(rows)]).all(axis=0)
    return np.nanmax(values[list(rows)], axis=0).sum() if covered.all() else -np.inf


def brute_force(values, max_groups, costs=None, max_cost=None):
    """The best sum of gains, and the fewest groups that reach it."""
    best = -np.inf, 0
    for k in range(1, max_groups + 1):
        for rows in itertools.combinations(range(len(values)), k):
            if costs is not None and costs[list(rows)].sum() > max_cost:
                continue
            if np.isnan(values[list(rows)]).all(axis=0).any():
                continue
            score = score_of(values, rows)
            if score > best[0] + 1e-9 * np.nanmax(np.abs(values)):
                best = score, k
    return best


@settings(max_examples=150, deadline=None)
@given(gain_tables(), st.integers(1, 6))
def test_exact_selection_is_that_of_brute_force(gains, max_groups):
    values = gains.to_numpy()
    max_groups = min(max_groups, values.shape[1])
    best, fewest = brute_force(values, max_groups)
    if not np.isfinite(best):
        with pytest.raises(ValueError, match="no choice of"):
            select_groups(gains, max_groups)
        return
    groups = select_groups(gains, max_groups)
    rows = [
        gains.notna().apply(lambda r: tuple(gains.columns[r]), axis=1).tolist().index(g)
        for g in groups
    ]
    assert score_of(values, rows) == pytest.approx(best, abs=1e-7 * np.nanmax(np.abs(values)))
    assert len(groups) == fewest


@settings(max_examples=60, deadline=None)
@given(gain_tables(), st.integers(1, 6), st.integers(1, 8), st.integers(0, 1000))
def test_costs_are_kept_to_as_in_brute_force(gains, max_groups, max_cost, seed):
    values = gains.to_numpy()
    max_groups = min(max_groups, values.shape[1])
    costs = np.random.default_rng(seed).integers(1, 4, len(values)).astype(float)
    best, fewest = brute_force(values, max_groups, costs, max_cost)
    chosen = choose_exactly(values, max_groups, costs, float(max_cost))
    if not np.isfinite(best):
        assert chosen is None
        return
    assert costs[chosen].sum() <= max_cost
    assert score_of(values, chosen) == pytest.approx(best, abs=1e-7 * np.nanmax(np.abs(values)))
    assert len(chosen) == fewest


@settings(max_examples=60, deadline=None)
@given(gain_tables(), st.integers(1, 6))
def test_programming_and_enumeration_choose_equally_well(gains, max_groups):
    values = gains.to_numpy()
    problem = _Problem(values, None, None)
    max_groups = min(max_groups, values.shape[1])
    keep = np.isfinite(problem.regret)
    rows = problem._program(np.arange(len(values)), keep, max_groups, np.inf)
    best, _ = brute_force(values, max_groups)
    if rows is None:
        assert not np.isfinite(best)
    else:
        assert score_of(values, rows) == pytest.approx(best, abs=1e-7 * np.nanmax(np.abs(values)))


@settings(max_examples=60, deadline=None)
@given(gain_tables(), st.integers(1, 6))
def test_a_beam_never_finds_more(gains, max_groups):
    values = gains.to_numpy()
    max_groups = min(max_groups, values.shape[1])
    try:
        actual = select_groups(gains, max_groups, method="beam")
    except ValueError:
        return
    assert len(actual) <= max_groups
    labels = gains.notna().apply(lambda r: tuple(gains.columns[r]), axis=1).tolist()
    exact = select_groups(gains, max_groups)
    scores = [score_of(values, [labels.index(g) for g in groups]) for groups in (actual, exact)]
    assert scores[0] <= scores[1] + 1e-7 * np.nanmax(np.abs(values))


@settings(max_examples=60, deadline=None)
@given(gain_tables(), st.integers(1, 6))
def test_no_choice_has_less_regret_than_the_bound(gains, max_groups):
    values = gains.to_numpy()
    best, _ = brute_force(values, min(max_groups, values.shape[1]))
    if not np.isfinite(best):
        return
    regret = np.where(np.isnan(values), np.inf, np.nanmax(values, axis=0) - values)
    least = np.nanmax(values, axis=0).sum() - best
    bound = Bound(regret, min(max_groups, values.shape[1]), None, None, least)
    assert bound.value <= least + 1e-6 * (1 + np.nanmax(np.abs(values)))


@pytest.mark.parametrize("max_groups", [1, 2, 3, 4, 6, 10])
def test_many_groups_of_many_tasks_are_chosen_at_least_as_well_as_by_beams(max_groups):
    rng = np.random.default_rng(0)
    groups = rng.random((400, 15)) < rng.random((400, 1))
    groups = np.vstack([np.eye(15, dtype=bool), np.ones((1, 15), dtype=bool), groups])
    groups = groups[groups.any(axis=1)]
    gains = pd.DataFrame(np.where(groups, rng.normal(size=groups.shape), np.nan))
    best = {}
    for method in ("exact", "beam"):
        chosen = select_groups(gains, max_groups, method=method)
        rows = [np.flatnonzero((groups == np.isin(range(15), g)).all(axis=1))[0] for g in chosen]
        best[method] = score_of(gains.to_numpy(), rows)
    assert best["exact"] >= best["beam"] - 1e-9


def test_ties_go_to_fewer_groups():
    gains = pd.DataFrame({"a": [0.0, np.nan, 0.0], "b": [np.nan, 0.0, 0.0]})
    assert select_groups(gains, 2) == [("a", "b")]


def test_a_task_may_help_in_one_group_and_be_served_by_another():
    nan = np.nan
    gains = pd.DataFrame(
        [[0.5, -0.5, nan], [nan, 0.4, -0.1], [nan, nan, 0.0]], columns=["a", "b", "c"]
    )
    groups = select_groups(gains, 3)
    assert groups == [("a", "b"), ("b", "c"), ("c",)]
    served = assign_tasks(gains, groups)
    assert served.to_dict() == {"a": ("a", "b"), "b": ("b", "c"), "c": ("c",)}


def test_labels_may_be_of_any_kind():
    tasks = pd.Index([(1, "x"), (2, "y")], tupleize_cols=False)
    gains = pd.DataFrame([[0.1, 0.1], [0.0, np.nan]], columns=tasks)
    assert select_groups(gains, 1) == [((1, "x"), (2, "y"))]


TABLE = pd.DataFrame({"a": [0.0, np.nan, 0.1], "b": [np.nan, 0.0, 0.1]})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"max_groups": 0}, ValueError, "max_groups must be an int from 1 to the number of tasks"),
        ({"max_groups": 3}, ValueError, "number of tasks, 2; got 3"),
        ({"max_groups": 1.5}, ValueError, "max_groups must be an int"),
        ({"gains": TABLE.assign(b=np.nan)}, ValueError, r"NaN in every row for these .* \['b'\]"),
        ({"gains": TABLE.replace(0.1, np.inf)}, ValueError, "infinite for the task 'a' in row 2"),
        ({"gains": TABLE.iloc[:0]}, ValueError, "gains is empty"),
        ({"gains": TABLE.to_numpy()}, TypeError, "gains must be a DataFrame"),
        ({"gains": TABLE.set_axis(["a", "a"], axis=1)}, ValueError, "several columns for the same"),
        ({"method": "greedy"}, ValueError, "'exact' or 'beam'"),
        ({"n_beams": 0}, ValueError, "n_beams must be"),
        ({"gains": TABLE.iloc[:2], "max_groups": 1}, ValueError, "no choice of 1 group"),
        ({"costs": [1, 1, 1]}, ValueError, "must be given together"),
        ({"costs": [1, 1], "max_cost": 2}, ValueError, "costs must be 3 finite numbers"),
        ({"costs": [1, 1, 1], "max_cost": 0}, ValueError, "max_cost must be a number above 0"),
        ({"costs": [1, 1, 3], "max_cost": 1}, ValueError, "no choice of 2 group.s. of cost 1"),
    ],
)
def test_bad_input(change, error, message):
    with pytest.raises(error, match=message):
        select_groups(**{"gains": TABLE, "max_groups": 2, **change})


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([("a",)], "in none of the groups"),
        ([("a", "c")], "are no columns"),
        ([()], "no task at all"),
    ],
)
def test_bad_groups(groups, message):
    with pytest.raises(ValueError, match=message):
        assign_tasks(TABLE, groups)
