"""The four laws of the member axis: independence, own settings, own clock, own rows.

Each trains members with others and alone and compares them: to 1e-9 in double precision, to the bit
in single precision.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests._members import build, parameters_of, task_rows, train

SEEDS = [3, 14, 15, 92]


def same_rows(table, n_members):
    return [torch.arange(len(table))] * n_members


@pytest.mark.parametrize("n_metadata", [0, 2])
def test_independence_after_a_thousand_steps_in_double_precision(n_metadata):
    table = task_rows(n_metadata=n_metadata)
    settings = {"max_epochs": 250, "learning_rate": 1e-2, "averaging": 0.9, "weight_decay": 0.01}
    together = train(table, SEEDS, same_rows(table, 4), **settings)
    assert int(together.optimizer_.steps.min()) == 1000
    for m, seed in enumerate(SEEDS):
        alone = train(table, [seed], same_rows(table, 1), **settings)
        torch.testing.assert_close(
            parameters_of(together.module_, m),
            parameters_of(alone.module_, 0),
            rtol=1e-9,
            atol=1e-9,
        )


# not narrower than 8: for a handful of columns the matrix library chooses its kernel by where in
# memory a slice begins, and rounds differently
@pytest.mark.parametrize("n_members", [2, 3, 5, 7, 8])
@pytest.mark.parametrize("hidden_layer_sizes", [(8,), (32, 32, 32)])
def test_independence_to_the_bit_in_single_precision(n_members, hidden_layer_sizes):
    table = task_rows(n_tasks=20, n_rows=160, n_metadata=4, dtype=torch.float32)
    seeds = list(range(n_members))
    settings = {"max_epochs": 20, "learning_rate": 1e-2, "averaging": 0.9}

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
@settings(deadline=None, max_examples=20)
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


def test_own_settings():
    table = task_rows()
    rates, decays = [1e-3, 1e-2, 3e-2, 1e-2], [0.0, 0.1, 0.0, 1.0]
    averagings, alphas = [0.0, 0.9, 0.5, 0.99], [0.0, 1.0, 0.1, 10.0]
    module = build(table, SEEDS, embedding_alpha=alphas)
    together = train(
        table,
        SEEDS,
        same_rows(table, 4),
        module=module,
        learning_rate=rates,
        weight_decay=decays,
        averaging=averagings,
    )
    for m, seed in enumerate(SEEDS):
        alone = train(
            table,
            [seed],
            same_rows(table, 1),
            module=build(table, [seed], embedding_alpha=alphas[m]),
            learning_rate=rates[m],
            weight_decay=decays[m],
            averaging=averagings[m],
        )
        torch.testing.assert_close(
            parameters_of(together.module_, m),
            parameters_of(alone.module_, 0),
            rtol=1e-9,
            atol=1e-9,
        )


def test_own_clock():
    # the learning rates make the members stop at different times, so that the batch shrinks
    table = task_rows(n_rows=80, n_metadata=1)
    rates = [1e-4, 3e-2, 1e-1, 1e-2]
    rows = torch.arange(80)
    settings = {"max_epochs": 60, "patience": 4, "tol": 1e-3}
    together = train(
        table, SEEDS, [rows[:60]] * 4, [rows[60:]] * 4, learning_rate=rates, **settings
    )
    records = together.clock_.records()
    n_iter = together.clock_.n_iter.tolist()
    assert len(set(n_iter)) > 2
    assert min(n_iter) < 60
    for m, seed in enumerate(SEEDS):
        alone = train(table, [seed], [rows[:60]], [rows[60:]], learning_rate=rates[m], **settings)
        assert n_iter[m] == alone.clock_.n_iter.item()
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


def test_own_rows_and_tasks():
    table = task_rows(n_tasks=6, n_rows=90, n_metadata=1)
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randperm(90, generator=generator)[:count] for count in (90, 40, 55)]
    rows.append((table.tasks < 3).nonzero().squeeze(1))
    together = train(table, SEEDS, rows, learning_rate=1e-2, max_epochs=20)
    for m, seed in enumerate(SEEDS):
        alone = train(table, [seed], [rows[m]], learning_rate=1e-2, max_epochs=20)
        # a member with fewer rows makes fewer steps
        assert together.optimizer_.steps[m].item() == alone.optimizer_.steps.item()
        torch.testing.assert_close(
            parameters_of(together.module_, m),
            parameters_of(alone.module_, 0),
            rtol=1e-9,
            atol=1e-9,
        )
    assert together.module_.trained[3].tolist() == [True] * 3 + [False] * 3
    untouched = together.module_.embeddings[3, 3:]
    torch.testing.assert_close(untouched, together.module_.origin[3].expand_as(untouched))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_independence_on_a_gpu():
    table = task_rows(n_metadata=2).to("cuda")
    settings = {"max_epochs": 50, "learning_rate": 1e-2, "device": "cuda"}
    together = train(table, SEEDS, same_rows(table, 4), **settings)
    for m, seed in enumerate(SEEDS):
        alone = train(table, [seed], same_rows(table, 1), **settings)
        torch.testing.assert_close(
            parameters_of(together.module_, m),
            parameters_of(alone.module_, 0),
            rtol=1e-6,
            atol=1e-6,
        )
