"""What a Gumbel-Matrix network has learned about tasks and components, as tables."""

import numpy as np
import pandas as pd
import torch

from skmtl._estimators.reports import similarity_table
from skmtl.architectures._gumbel_matrix import allocation_probabilities
from skmtl.training._device import in_own_state


class Allocations:
    """Tables of the allocation of components to tasks, from a trained `GumbelNetwork`."""

    def __init__(self, module, tasks):
        self.module, self.tasks = module, tasks

    def _on(self):
        """Return the most likely allocations, shape (M, T, C) of bool."""
        return allocation_probabilities(self.module) >= 0.5

    def _component_columns(self):
        """Return the layer and component of every column."""
        pairs = [(n, c) for n, size in enumerate(self.module.sizes) for c in range(size)]
        return pd.MultiIndex.from_tuples(pairs, names=["layer", "component"])

    def _by_layer(self, values):
        """Return values (M, T, C) as a list of tables, one a layer."""
        columns, tables = self._component_columns(), []
        for layer in range(len(self.module.sizes)):
            in_layer = columns.get_level_values("layer") == layer
            names = columns[in_layer].get_level_values("component")
            if len(values) > 1:
                names = pd.MultiIndex.from_product(
                    [range(len(values)), names], names=["member", "component"]
                )
            table = np.concatenate(values[:, :, in_layer], axis=1)
            tables.append(pd.DataFrame(table, index=self.tasks, columns=names))
        return tables

    def allocations(self):
        """Return which components tasks use, a table of 0 and 1 for each layer."""
        return self._by_layer(self._on().astype(int))

    def probabilities(self):
        """Return the probabilities that tasks use components, a table for each layer."""
        return self._by_layer(allocation_probabilities(self.module))

    def embeddings(self):
        """Return the allocations of all layers next to each other, one row per task."""
        on = self._on().astype(int)
        columns = self._component_columns()
        if len(on) > 1:
            columns = pd.MultiIndex.from_tuples(
                [(m, *pair) for m in range(len(on)) for pair in columns],
                names=["member", *columns.names],
            )
        return pd.DataFrame(np.concatenate(on, axis=1), index=self.tasks, columns=columns)

    def similarity(self):
        """Return the cosine similarity of the embeddings of tasks, averaged over members."""
        return similarity_table(self._on().astype(float), self.tasks)

    def active_fraction(self):
        """Share of the connections of tasks and components that are on, mean over members.

        Components that are alone in their layer are always on and do not count.
        """
        routed = self.module.routed
        on = self._on()
        return float(on[:, :, routed].mean()) if routed else 1.0

    @in_own_state
    def history(self):
        """Return the probabilities that tasks use components, by epoch.

        Returns
        -------
        DataFrame
            One row per member, epoch and task, a column per layer and component; about a hundred
            epochs at most.
        """
        module, n_tasks = self.module, len(self.tasks)
        numbers = module.allocation.numbers.tolist()
        tables, keys = [], []
        for epoch, members, values in module.allocation.trace:
            for member, of_tasks in zip(members.tolist(), values, strict=True):
                if member in numbers:
                    full = module.full(torch.from_numpy(of_tasks[:n_tasks])).numpy()
                    tables.append(pd.DataFrame(full, self.tasks, self._component_columns()))
                    keys.append((numbers.index(member), epoch))
        names = ["member", "epoch", self.tasks.name or "task"]
        return pd.concat(tables, keys=keys, names=names).sort_index(level=[0, 1])
