"""The laws of the member axis where tasks are combinations of ids of two levels."""

import numpy as np
import pytest
import torch

from skmtl.nn import LevelHypernetwork
from skmtl.training import TaskRows
from tests._laws import SEEDS, assert_same_member
from tests._members import train

SIZES = (3, 5)
EVERYONE = [0, 1, 2]
ALPHAS = [0.0, 0.3, 30.0]


def rows_of_levels(n_rows=60, dtype=torch.float64):
    rng = np.random.default_rng(0)
    ids = np.stack([rng.integers(-1, 3, n_rows), rng.integers(0, 5, n_rows)], axis=1)
    combinations, tasks = np.unique(ids, axis=0, return_inverse=True)
    features = rng.normal(size=(n_rows, 3))
    targets = features[:, :1] + ids[:, :1] - ids[:, 1:]
    return TaskRows(
        features=torch.as_tensor(features, dtype=dtype),
        tasks=torch.from_numpy(tasks.reshape(-1)),
        targets=torch.as_tensor(targets, dtype=dtype),
        weights=torch.as_tensor(rng.uniform(0.5, 1.5, n_rows), dtype=dtype),
        n_tasks=len(combinations),
        levels=torch.from_numpy(combinations).unsqueeze(0),
        level_sizes=SIZES,
    )


def run(table, members, rows, nested, vary=True, **settings):
    alphas = [ALPHAS[m] if vary else ALPHAS[1] for m in members]
    module = LevelHypernetwork(
        SIZES,
        3,
        seeds=[SEEDS[m] for m in members],
        embedding_dims=(8, 8),
        embedding_alphas=(alphas, alphas),
        apart=(False, True),
        nested=nested,
        hidden_layer_sizes=(8, 8),
        hypernet_layers=0,
        activation="tanh",
    ).to(table.features.dtype)
    return train(
        table,
        [SEEDS[m] for m in members],
        [rows[m] for m in members],
        None,
        module=module,
        **{"learning_rate": 1e-2, "averaging": 0.9, "max_epochs": 5, **settings},
    )


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("batch_size", [8, 60])
def test_members_are_independent(nested, batch_size):
    table = rows_of_levels()
    # rows and ids of their own
    rows = [torch.arange(60), torch.arange(0, 60, 2), torch.arange(20, 60)]
    together = run(table, EVERYONE, rows, nested, batch_size=batch_size)
    for m in EVERYONE:
        alone = run(table, [m], rows, nested, batch_size=batch_size)
        assert_same_member(together, m, alone)


def test_members_are_independent_in_single_precision():
    table = rows_of_levels(dtype=torch.float32)
    rows = [torch.arange(60)] * 3
    together = run(table, EVERYONE, rows, nested=False)
    for m in EVERYONE:
        assert_same_member(together, m, run(table, [m], rows, nested=False), tolerance=1e-5)


def test_ids_without_rows_are_not_trained():
    table = rows_of_levels()
    levels = table.levels[0, table.tasks]
    kept = (levels[:, 1] != 4).nonzero().squeeze(1)
    module = run(table, [1], [None, kept, None], nested=False).module_
    assert module.trained_1[0].tolist() == [True, True, True, True, False]
    assert module.trained_0[0].all()
