"""The modules that keep the laws of the member axis, a row each, and how they are trained.

A new module or architecture is one more row of `CASES`; without it, `test_laws.py` fails.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone

from skmtl import architectures
from skmtl.architectures import NetworkShape
from skmtl.architectures._pareto_hypernetwork import ParetoHypernetwork
from skmtl.training import PreferenceSteps, TaskRows
from tests._members import parameters_of, task_rows, train
from tests._networks import network

SEEDS = [3, 14, 15]
N_TASKS = 4


@dataclass(frozen=True)
class Case:
    """How to build a module, and which of its settings may differ between members.

    Parameters
    ----------
    build : callable
        Called with a table, the seeds and a list with a dict of settings for every member; returns
        the module and arguments of the loop.
    settings : dict of str to list of 3 values
        Values that differ between members.
    steps : Steps, optional
        How it is trained.
    rounding : float
        How far members may differ in single precision; bitwise identical by default.
    """

    build: Callable
    settings: dict[str, list] = field(default_factory=dict)
    steps: Any = None
    rounding: float = 0.0


def of_network(name):
    """Build a module of `NETWORKS`."""

    def build(table, seeds, members):
        n_inputs = table.features.shape[1] + table.metadata.shape[2]
        n_outputs = table.targets.shape[1] if table.tasks is not None else 1
        widths = {"hidden_layer_sizes": (8, 8)}
        return network(name, table.n_tasks, n_inputs, n_outputs, seeds=seeds, **widths), {}

    return Case(build)


def of_architecture(architecture, steps=None, rounding=0.0, **settings):
    """Build what `Architecture.build` builds, with the loop that it asks for."""

    def build(table, seeds, members):
        owners = [clone(architecture).set_params(**member) for member in members]
        tasks = pd.RangeIndex(table.n_tasks)
        rows = [
            {name: getattr(owner, name) for name in architecture.member_parameters}
            | owner.task_settings(tasks)
            for owner in owners
        ]
        values = {name: [row[name] for row in rows] for name in rows[0]}
        wide = table.tasks is None
        shape = NetworkShape(
            table.n_tasks,
            table.features.shape[1],
            table.metadata.shape[2],
            1 if wide else table.targets.shape[1],
            wide=wide,
        )
        return architecture.build(shape, seeds, values), architecture.loop_settings(values)

    assert settings.keys() == set(architecture.member_parameters)
    return Case(build, settings, steps, rounding)


# widths of 8 and more, see `test_independence_in_single_precision`
TRUNK = {"hidden_layer_sizes": (8, 8)}
HEADS = {**TRUNK, "head_layer_sizes": (8,)}
GUMBEL = {
    "allocation": ["learned", np.eye(N_TASKS, 6), "learned"],
    "initial_probability": [0.5, 0.9, 0.3],
    "budget": [0.3, 1.0, 0.6],
    "budget_penalty": [2.0, 1.0, 0.5],
    "temperature": ["paper", "planned", 1.0],
    "router_multiplier": ["auto", 3.0, 1.0],
    "clip_norm": [0.1, None, 1.0],
}


def gumbel_matrix(schedule):
    """Build a modular network of two layers."""
    return architectures.GumbelMatrix(layers=((8, 8), 8), n_components=3, task_schedule=schedule)


STRENGTHS = {"orthogonality_alpha": [0.0, 0.5, 5.0]}
RELATIONS = {"relation_alpha": [0.0, 0.5, 5.0]}

# forms of a module that the architectures below do not build
FORMS = ["single task, one-hot", "one level", "tensor train", "last axis"]

CASES: dict[str, Case] = {
    **{name: of_network(name) for name in FORMS},
    **{
        f"Pareto hypernetwork, {solver}": of_architecture(
            ParetoHypernetwork(compression=True, **TRUNK),
            PreferenceSteps(solver=solver, n_preferences=2),
        )
        for solver in ("linear", "pareto", "epo")
    },
    "CrossStitch": of_architecture(architectures.CrossStitch(**TRUNK)),
    "GumbelMatrix": of_architecture(
        # gradients of the network that reads metadata are summed in another order
        gumbel_matrix("all"),
        rounding=1e-5,
        **GUMBEL,
    ),
    "GumbelMatrix, one task a step": of_architecture(gumbel_matrix("one"), **GUMBEL),
    "Hypernetwork": of_architecture(
        architectures.Hypernetwork(**TRUNK),
        activation=["relu", "tanh", "silu"],
        embedding_alpha=[0.0, 0.1, 10.0],
        interaction_alpha=[0.0, 100.0, 1000.0],
    ),
    "IndependentNetworks": of_architecture(architectures.IndependentNetworks(**TRUNK)),
    "MaximumRoaming": of_architecture(architectures.MaximumRoaming(roaming_interval=5, **HEADS)),
    "MultiGateMixture": of_architecture(architectures.MultiGateMixture(**HEADS)),
    "MultilinearRelation": of_architecture(
        architectures.MultilinearRelation(relation_interval=5, **HEADS), **RELATIONS
    ),
    "ProgressiveExtraction": of_architecture(architectures.ProgressiveExtraction(**HEADS)),
    "SharedBottom": of_architecture(architectures.SharedBottom(**HEADS)),
    "SingleNetwork": of_architecture(architectures.SingleNetwork(**TRUNK)),
    "Sluice": of_architecture(architectures.Sluice(**TRUNK), **STRENGTHS),
    "TensorFactorization": of_architecture(architectures.TensorFactorization(**TRUNK)),
}


def long_rows(n_rows=60, dtype=torch.float64):
    """Rows of one task each."""
    return task_rows(N_TASKS, 3, n_metadata=1, n_rows=n_rows, dtype=dtype)


def wide_rows(n_rows=40):
    """Rows that all tasks share, without some of the labels."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n_rows, 3))
    targets = np.sin(features @ rng.normal(size=(3, N_TASKS)))
    weights = rng.uniform(0.5, 1.5, targets.shape) * (rng.random(targets.shape) < 0.9)
    return TaskRows(
        features=torch.from_numpy(features),
        tasks=None,
        targets=torch.from_numpy(targets),
        weights=torch.from_numpy(weights),
        n_tasks=N_TASKS,
        metadata=torch.from_numpy(rng.normal(size=(1, N_TASKS, 1))),
    )


def run(case, table, members, rows, valid_rows=None, vary=False, **settings):
    """Train some of the three members; returns the net.

    Parameters
    ----------
    members : list of int
        Which of them.
    rows, valid_rows : list of 3 Tensors
        Rows that each trains on, and validates on.
    vary : bool
        Whether settings differ between members.
    settings
        Of the loop; a list has a value for each of the three.
    """
    seeds = [SEEDS[m] for m in members]
    values = [{k: v[m] if vary else v[0] for k, v in case.settings.items()} for m in members]
    module, loop = case.build(table, seeds, values)
    settings = {
        key: [value[m] for m in members] if isinstance(value, list) else value
        for key, value in settings.items()
    }
    if case.steps is not None:
        loop = {**loop, "steps": case.steps}
    return train(
        table,
        seeds,
        [rows[m] for m in members],
        None if valid_rows is None else [valid_rows[m] for m in members],
        module=module.to(table.features.dtype),
        **{"learning_rate": 1e-2, "averaging": 0.9, "max_epochs": 5, **settings, **loop},
    )


def assert_same_member(together, m, alone, tolerance=1e-9):
    """Compare all that training leaves of a member; bitwise with a tolerance of 0."""
    torch.testing.assert_close(
        parameters_of(together.module_, m),
        parameters_of(alone.module_, 0),
        rtol=tolerance,
        atol=tolerance,
    )
    assert together.clock_.n_iter[m] == alone.clock_.n_iter[0]
    records, records_alone = together.clock_.records(), alone.clock_.records()
    for name in ("train_loss", "valid_loss"):
        np.testing.assert_allclose(
            records[name][records["member"] == m], records_alone[name], rtol=max(tolerance, 1e-6)
        )
