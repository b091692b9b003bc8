"""The four laws of the member axis: independence, own settings, own clock, own rows.

Members are trained together and alone, and compared: to 1e-9 in double precision, bitwise in single
precision. Every module and every architecture of `tests._laws.CASES` keeps them.
"""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skmtl import architectures, nn
from tests._laws import CASES, SEEDS, assert_same_member, long_rows, run, wide_rows
from tests._members import build, parameters_of, task_rows, train

every = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
EVERYONE = [0, 1, 2]


def test_every_module_has_a_case():
    public = {
        name for name in architectures.__all__ if name not in ("Architecture", "NetworkShape")
    }
    assert public <= CASES.keys()
    # written networks are parts of a Pareto hypernetwork
    modules = {
        cls
        for cls in (getattr(nn, name) for name in nn.__all__)
        if inspect.isclass(cls)
        and issubclass(cls, nn.MemberModule)
        and not cls.__name__.startswith("Written")
    } - {nn.MemberModule, nn.LevelHypernetwork}  # the latter is in test_level_laws.py
    table = long_rows()
    built = {
        type(case.build(table, [0], [{k: v[0] for k, v in case.settings.items()}])[0])
        for case in CASES.values()
    }
    assert built >= modules


@every
@pytest.mark.parametrize("table", [long_rows(), wide_rows()], ids=["long", "wide"])
def test_independence(case, table):
    rows = [torch.arange(len(table))] * 3
    together = run(case, table, EVERYONE, rows)
    for m in (0, 2):
        assert_same_member(together, m, run(case, table, [m], rows))
    first, last = (parameters_of(together.module_, m) for m in (0, 2))
    assert not torch.allclose(first, last)


# not narrower than 8: for a handful of columns the matrix library chooses its kernel by where in
# memory a slice begins, and rounds differently
@every
def test_independence_in_single_precision(case):
    table = long_rows(dtype=torch.float32)
    rows = [torch.arange(len(table))] * 3
    together = run(case, table, EVERYONE, rows)
    assert_same_member(together, 2, run(case, table, [2], rows), tolerance=case.rounding)


@every
def test_own_settings(case):
    table = long_rows()
    rows = [torch.arange(len(table))] * 3
    changes = {
        "vary": True,
        "learning_rate": [3e-3, 1e-2, 3e-2],
        "weight_decay": [0.1, 0.0, 1.0],
        "averaging": [0.0, 0.9, 0.5],
    }
    together = run(case, table, EVERYONE, rows, **changes)
    assert_same_member(together, 2, run(case, table, [2], rows, **changes))


@every
def test_own_clock(case):
    # members stop at different times, so that the batch shrinks
    table = long_rows()
    rows = torch.arange(len(table))
    changes = {
        "vary": True,
        "learning_rate": [0.1, 1e-2, 1e-2],
        "patience": 3,
        "tol": 1e-3,
        "last_epochs": [12, 3, 12],
        "max_epochs": 12,
    }
    args = [rows[:45]] * 3, [rows[45:]] * 3
    together = run(case, table, EVERYONE, *args, **changes)
    n_iter = together.clock_.n_iter.tolist()
    assert len(set(n_iter)) > 1
    for m in (0, 1):
        assert_same_member(together, m, run(case, table, [m], *args, **changes))


@every
def test_own_rows_and_tasks(case):
    # a member with fewer rows waits for the others, except where batches hold one task each
    table = long_rows()
    shuffled = torch.randperm(len(table), generator=torch.Generator().manual_seed(0))
    rows = [shuffled[:45], shuffled[:25], (table.tasks < 3).nonzero().squeeze(1)]
    together = run(case, table, EVERYONE, rows, vary=True)
    for m in (1, 2):
        alone = run(case, table, [m], rows, vary=True)
        assert together.optimizer_.steps[m] == alone.optimizer_.steps[0]
        assert_same_member(together, m, alone)


# more of the hypernetwork: long training, many members, shapes of all kinds


def same_rows(table, n_members):
    return [torch.arange(len(table))] * n_members


@pytest.mark.parametrize("n_steps", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_independence_after_many_steps(n_steps):
    table = task_rows(n_metadata=2)
    settings = {"learning_rate": 1e-2, "averaging": 0.9, "weight_decay": 0.01}
    settings["max_epochs"] = n_steps // 4
    together = train(table, SEEDS, same_rows(table, 3), **settings)
    assert int(together.optimizer_.steps.min()) == n_steps
    alone = train(table, SEEDS[2:], same_rows(table, 1), **settings)
    torch.testing.assert_close(
        parameters_of(together.module_, 2), parameters_of(alone.module_, 0), rtol=1e-9, atol=1e-9
    )


# not narrower than 8: for a handful of columns the matrix library chooses its kernel by where in
# memory a slice begins, and rounds differently
@pytest.mark.parametrize("n_members", [2, 5, 8])
@pytest.mark.parametrize("hidden_layer_sizes", [(8,), (32, 32, 32)])
def test_independence_whatever_the_number_of_members(n_members, hidden_layer_sizes):
    table = task_rows(n_tasks=20, n_rows=160, n_metadata=4, dtype=torch.float32)
    seeds = list(range(n_members))
    settings = {"max_epochs": 3, "learning_rate": 1e-2, "averaging": 0.9}

    def run(seeds):
        module = build(table, seeds, hidden_layer_sizes=hidden_layer_sizes, embedding_dim=10)
        return train(table, seeds, same_rows(table, len(seeds)), module=module, **settings).module_

    together = run(seeds)
    for m in (0, n_members - 1):
        assert torch.equal(parameters_of(together, m), parameters_of(run([seeds[m]]), 0))


shapes = st.fixed_dictionaries(
    {
        "hidden_layer_sizes": st.lists(st.integers(1, 9), max_size=3).map(tuple),
        "hypernet_layers": st.integers(0, 2),
        "hypernet_width": st.integers(1, 5),
        "embedding_dim": st.integers(1, 4),
        "compression": st.booleans(),
        "target_bias": st.sampled_from(["folded", "plain"]),
        "linear_skip": st.booleans(),
        "embedding_alpha": st.sampled_from([0.0, 1.0]),
        "interaction_alpha": st.sampled_from([0.0, 1.0]),
    }
)


@given(
    shape=shapes,
    n_members=st.integers(2, 5),
    n_tasks=st.integers(1, 7),
    n_features=st.integers(1, 3),
    n_metadata=st.integers(0, 2),
    n_outputs=st.integers(1, 2),
    batch_size=st.integers(5, 40),
    validate=st.booleans(),
)
@settings(deadline=None, max_examples=10)
def test_independence_whatever_the_shapes(
    shape, n_members, n_tasks, n_features, n_metadata, n_outputs, batch_size, validate
):
    table = task_rows(n_tasks, n_features, n_metadata, n_outputs, n_rows=30)
    rows = torch.arange(30)
    changes = {"batch_size": batch_size, "max_epochs": 4, "learning_rate": 1e-2, "averaging": 0.9}

    def run(seeds):
        train_rows = rows[:20] if validate else rows
        return train(
            table,
            seeds,
            [train_rows] * len(seeds),
            [rows[20:]] * len(seeds) if validate else None,
            module=build(table, seeds, **shape),
            **changes,
        )

    seeds = list(range(n_members))
    together = run(seeds)
    records = together.clock_.records()
    for m in (0, n_members - 1):
        alone = run([seeds[m]])
        torch.testing.assert_close(
            parameters_of(together.module_, m),
            parameters_of(alone.module_, 0),
            rtol=1e-9,
            atol=1e-9,
        )
        for name in ("train_loss", "valid_loss"):
            np.testing.assert_allclose(
                records[name][records["member"] == m], alone.clock_.records()[name], rtol=1e-9
            )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_independence_on_a_gpu():
    table = task_rows(n_metadata=2).to("cuda")
    settings = {"max_epochs": 50, "learning_rate": 1e-2, "device": "cuda"}
    together = train(table, SEEDS, same_rows(table, 3), **settings)
    for m, seed in enumerate(SEEDS):
        alone = train(table, [seed], same_rows(table, 1), **settings)
        torch.testing.assert_close(
            parameters_of(together.module_, m),
            parameters_of(alone.module_, 0),
            rtol=1e-6,
            atol=1e-6,
        )
