"""What the estimators of the Gumbel-Matrix network share: their module, and what it has learned.

The network is in `skmtl.nn`, the loop in `skmtl.training`.
"""

import math
from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.layers import ACTIVATION
from skmtl._estimators.patterns import allocation_pattern, probability_pattern, stacked_patterns
from skmtl._estimators.reports import similarity_table
from skmtl.nn import GumbelNetwork

# of the learning rate of the allocation if all tasks are trained in each step: with 1 components
# grow alike before tasks can part, and nearly all connections stay on
_MULTIPLIER = 10.0

CONSTRAINTS = {
    "layers": ["array-like", Interval(Integral, 1, None, closed="left")],
    "n_components": ["array-like", Interval(Integral, 1, None, closed="left")],
    "components": ["array-like", None],
    "heads": [StrOptions({"auto", "own", "shared", "none"})],
    "activation": ACTIVATION,
    "allocation": [StrOptions({"learned", "shared", "separate"}), "array-like"],
    "initial_probability": [Interval(Real, 0, 1, closed="neither"), "array-like"],
    "budget": [Interval(Real, 0, 1, closed="right")],
    "budget_penalty": [Interval(Real, 0, None, closed="left")],
    "temperature": [StrOptions({"planned", "paper"}), Interval(Real, 0, None, closed="neither")],
    "router_multiplier": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
    "task_schedule": [StrOptions({"all", "one"})],
    "inference": [StrOptions({"most_likely", "sampled"})],
    "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
}


def _widths(value, name):
    widths = (value,) if isinstance(value, Integral) else tuple(value)
    if not widths or not all(isinstance(w, Integral) and w > 0 for w in widths):
        raise ValueError(
            f"{name} must be a positive integer, or a tuple of them for the dense layers of a "
            f"component; got {value!r}."
        )
    return tuple(int(width) for width in widths)


def component_lists(layers, n_components, components):
    """Components of every layer, as `GumbelNetwork` takes them.

    Parameters
    ----------
    layers, n_components, components
        Parameters of the estimators.

    Returns
    -------
    list of lists
    """
    if components is None:
        layers = [layers] if isinstance(layers, Integral) else list(layers)
        numbers = n_components
        if isinstance(numbers, Integral):
            numbers = [numbers] * len(layers)
        if len(numbers) != len(layers) or not all(
            isinstance(n, Integral) and n > 0 for n in numbers
        ):
            raise ValueError(
                "n_components must be a positive integer, or one for each of the "
                f"{len(layers)} layers; got {n_components!r}."
            )
        if not layers:
            raise ValueError("layers is empty; there must be one modular layer at least.")
        pairs = zip(layers, numbers, strict=True)
        return [[_widths(layer, "layers")] * int(number) for layer, number in pairs]
    lists = [list(layer) for layer in components]
    if not lists or not all(lists):
        raise ValueError(
            "components must be a list with a list for each layer, and every layer needs at least "
            f"one component; got {components!r}."
        )
    return [[_component(item) for item in layer] for layer in lists]


def _component(item):
    if isinstance(item, str):
        if item != "identity":
            raise ValueError(
                f"a component is a tuple of widths, 'identity' or a callable; got {item!r}."
            )
        return item
    return item if callable(item) else _widths(item, "a component")


class GumbelMatrixMixin:
    """Builds the network, and shows which components tasks use."""

    _member_parameters = (
        "allocation",
        "initial_probability",
        "budget",
        "budget_penalty",
        "temperature",
        "router_multiplier",
        "inference",
        "clip_norm",
    )

    def _task_settings(self, tasks):
        sizes = [len(layer) for layer in self._component_lists()]
        return {
            "_fixed": allocation_pattern(self.allocation, tasks, sizes),
            "_initial": probability_pattern(self.initial_probability, tasks, sizes),
        }

    def _component_lists(self):
        return component_lists(self.layers, self.n_components, self.components)

    def _build_module(self, n_tasks, n_features, n_metadata, n_outputs, seeds):
        # settings of members are lists here, one entry for each
        dtype = torch.get_default_dtype()
        heads = self.heads
        if heads == "auto":
            heads = "shared" if n_metadata else "own"
        fixed = torch.as_tensor(stacked_patterns(self._fixed, n_tasks, np.nan), dtype=dtype)
        multiplier = [
            (_MULTIPLIER if self.task_schedule == "all" else None) if value == "auto" else value
            for value in self.router_multiplier
        ]
        return GumbelNetwork(
            n_tasks,
            n_features,
            n_metadata,
            n_outputs,
            seeds=seeds,
            components=self._component_lists(),
            activation=self.activation,
            heads=heads,
            initial=torch.as_tensor(stacked_patterns(self._initial, n_tasks, 0.5), dtype=dtype),
            fixed=fixed,
            temperature=list(self.temperature),
            budget=torch.tensor(self.budget, dtype=dtype),
            budget_penalty=torch.tensor(self.budget_penalty, dtype=dtype),
            multiplier=multiplier,
        )

    def _loop_settings(self):
        settings = {"one_task": self.task_schedule == "one"}
        if any(norm is not None for norm in self.clip_norm):
            settings["clip_norm"] = [math.inf if n is None else n for n in self.clip_norm]
        return settings

    def _predict(self, X, each_member=False):
        check_is_fitted(self, "module_")
        if self.inference == "most_likely":
            return super()._predict(X, each_member)
        router = self.module_.allocation
        seeds = check_random_state(self.random_state).randint(
            np.iinfo(np.int32).max, size=self.module_.n_members
        )
        router.sample_seeds = seeds.tolist()
        try:
            return super()._predict(X, each_member)
        finally:
            router.sample_seeds = None

    # what was learned

    def _probabilities(self):
        """Probabilities that components are on, shape (M, T, C)."""
        check_is_fitted(self, "module_")
        module = self.module_
        with torch.no_grad():
            values = module.full(module.allocation.double_copy().probabilities())
        return values.cpu().numpy()

    def _on(self):
        """The most likely allocations, shape (M, T, C) of bool."""
        return self._probabilities() >= 0.5

    def _component_columns(self):
        """Layer and component of every column."""
        pairs = [(n, c) for n, size in enumerate(self.module_.sizes) for c in range(size)]
        return pd.MultiIndex.from_tuples(pairs, names=["layer", "component"])

    def _by_layer(self, values):
        """Values (M, T, C) as a list of tables, one a layer."""
        columns, tables = self._component_columns(), []
        for layer in range(len(self.module_.sizes)):
            own = columns.get_level_values("layer") == layer
            names = columns[own].get_level_values("component")
            if len(values) > 1:
                names = pd.MultiIndex.from_product(
                    [range(len(values)), names], names=["member", "component"]
                )
            table = np.concatenate(values[:, :, own], axis=1)
            tables.append(pd.DataFrame(table, index=self.tasks_, columns=names))
        return tables

    @property
    def allocations_(self):
        """Which components tasks use, a table of 0 and 1 for each layer."""
        return self._by_layer(self._on().astype(int))

    @property
    def allocation_probabilities_(self):
        """Probabilities that tasks use components, a table for each layer."""
        return self._by_layer(self._probabilities())

    @property
    def task_embeddings_(self):
        """The allocations of all layers side by side, one row per task."""
        on = self._on().astype(int)
        columns = self._component_columns()
        if len(on) > 1:
            columns = pd.MultiIndex.from_tuples(
                [(m, *pair) for m in range(len(on)) for pair in columns],
                names=["member", *columns.names],
            )
        return pd.DataFrame(np.concatenate(on, axis=1), index=self.tasks_, columns=columns)

    @property
    def task_similarity_(self):
        """Cosine similarity of the embeddings of tasks, mean over members."""
        return similarity_table(self._on().astype(float), self.tasks_)

    @property
    def active_fraction_(self):
        """Share of the connections of tasks and components that are on, mean over members.

        Components that are alone in their layer are always on and do not count.
        """
        routed = self.module_.routed if hasattr(self, "module_") else None
        on = self._on()
        return float(on[:, :, routed].mean()) if routed else 1.0

    @property
    def allocation_history_(self):
        """Probabilities that tasks use components in the course of training.

        Returns
        -------
        DataFrame
            One row per member, epoch and task, a column per layer and component; about a hundred
            epochs at most.
        """
        check_is_fitted(self, "module_")
        module, n_tasks = self.module_, len(self.tasks_)
        numbers = module.allocation.numbers.tolist()
        tables, keys = [], []
        for epoch, members, values in module.allocation.trace:
            for member, own in zip(members.tolist(), values, strict=True):
                if member in numbers:
                    full = module.full(torch.from_numpy(own[:n_tasks])).numpy()
                    tables.append(pd.DataFrame(full, self.tasks_, self._component_columns()))
                    keys.append((numbers.index(member), epoch))
        names = ["member", "epoch", self.tasks_.name or "task"]
        return pd.concat(tables, keys=keys, names=names).sort_index(level=[0, 1])
