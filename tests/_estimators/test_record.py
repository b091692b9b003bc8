"""`TrainingRecord` on its own: what a run of the loop has recorded, as tables by task."""

import numpy as np
import pandas as pd
import pytest
import torch

from skmtl._estimators.record import TrainingRecord
from skmtl.training import AffinityRecorder, steps_for
from skmtl.weighting import ITMTL, Affinity, FixedWeights, get_weighting
from tests._members import fitted, member_net, task_rows, train
from tests._networks import network

TASKS = pd.Index(list("abcde"))


def result_of(method=None, seeds=(3, 4), n_tasks=5, **settings):
    table = task_rows(n_tasks=n_tasks)
    module = network("shared bottom", n_tasks, 2, 1, list(seeds)).double()
    rows = [torch.arange(len(table))] * len(seeds)
    settings = {"max_epochs": 3, "task_weighting": method, **settings}
    return train(table, list(seeds), rows, module=module, **settings).result_


def test_without_weights_and_affinity():
    record = TrainingRecord(result_of(), TASKS, get_weighting("equal"))
    assert list(record.history["member"]) == [0, 0, 0, 1, 1, 1]
    assert list(record.history["epoch"]) == [1, 2, 3] * 2
    assert (record.task_weights == 1).all(axis=None)
    assert list(record.task_weights.columns) == list(TASKS)
    with pytest.raises(AttributeError, match="record_affinity=True"):
        _ = record.affinity
    with pytest.raises(AttributeError, match=r"task_weighting=ITMTL\(\.\.\.\)"):
        _ = record.candidate_choices


def test_affinity_is_the_mean_over_epochs_and_members():
    result = result_of(record_affinity={})
    record = TrainingRecord(result, TASKS, get_weighting("equal"))
    np.testing.assert_allclose(record.affinity, np.nanmean(result.affinity, axis=(0, 1)))
    assert len(record.affinity_history) == 2 * 3 * 5


def test_tables_are_copies():
    record = TrainingRecord(result_of("dwa"), TASKS, get_weighting("dwa"))
    weights = record.task_weights
    weights.loc[:] = 0.0
    assert (record.task_weights > 0).all(axis=None)


def test_a_state_is_for_the_same_method_and_tasks_only():
    method = get_weighting("uncertainty")
    record = TrainingRecord(result_of(method), TASKS, method)
    assert record.state_for(get_weighting("uncertainty"), 5)["steps"].min() > 0
    assert record.state_for(get_weighting("imtl-l"), 5) is None
    assert record.state_for(method, 6) is None


# a part of a result


def test_part_keeps_the_given_members_and_tasks():
    method = ("uncertainty", ITMTL(["equal", "tasks", "dwa"]))
    whole = result_of(method, seeds=(3, 4, 5), record_affinity={})
    part = whole.part(range(1, 3), 4)
    assert part.n_members == part.module.n_members == 2
    assert part.n_tasks == 4
    assert set(part.records["member"]) == {0, 1}
    rows = whole.records["member"] > 0
    np.testing.assert_array_equal(part.task_weights, whole.task_weights[rows, :4])
    np.testing.assert_array_equal(part.affinity, whole.affinity[:, 1:, :4, :4])
    for key, value in part.weighting_state["losses"].items():
        assert torch.equal(value, whole.weighting_state["losses"][key][1:, :4])
    names = [candidate.label(TASKS) for candidate in part.candidates]
    assert names == ["equal", "task a", "task b", "task c", "task d", "dwa"]
    assert part.choices["transference"].shape[1] == 6
    # the number of a method that comes after the tasks is another one then
    labels = [candidate.label(TASKS) for candidate in whole.candidates]
    chosen = whole.choices["choice"][whole.choices["member"] > 0]
    kept = chosen != labels.index("task e")
    assert [labels[n] for n in chosen[kept]] == [names[n] for n in part.choices["choice"][kept]]
    assert part.observed == []


def test_what_callbacks_saw_is_of_one_member_only():
    one, two = result_of(seeds=[3]), result_of(seeds=[3, 4])
    assert len(one.observed) == len(one.part(range(1), 5).observed) == 3
    assert two.observed == two.part(range(1), 5).observed == []


def test_settings_of_steps_and_observers_serve_several_runs():
    table = task_rows()
    rows = [torch.arange(len(table))]
    steps, observer = steps_for("gradvac"), AffinityRecorder(Affinity())
    results = []
    for _ in range(2):
        module = network("shared bottom", 5, 2, 1, [3]).double()
        net = member_net(module, [3], steps=steps, max_epochs=2)
        net.observer = observer
        results.append(fitted(net, table, rows).result_)
    one, other = results
    np.testing.assert_array_equal(one.task_weights, other.task_weights)
    np.testing.assert_array_equal(one.affinity, other.affinity)


def test_weights_by_name_are_numbers_of_each_member():
    bound = FixedWeights({"a": 2.0, "c": 3.0}).bind([["a", "b", "c"], ["b", "c"]], ["classes"] * 3)
    assert bound.values.tolist() == [[2.0, 1.0, 3.0], [1.0, 3.0, 1.0]]
