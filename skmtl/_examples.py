"""Rows as arrays: checked and encoded, to train on or to predict.

What the tables give to the estimators.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch


@dataclass
class Examples:
    """Rows ready to train on: scaled later, checked and encoded already.

    Attributes
    ----------
    features : ndarray of shape (n, d)
    tasks : ndarray of shape (n,) of int64
    targets : ndarray of shape (n, o)
    weights : ndarray of shape (n,)
    """

    features: np.ndarray
    tasks: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    def take(self, rows):
        """Some of the rows."""
        return Examples(*(values[rows] for values in vars(self).values()))

    def split(self, fraction, generator):
        """Set rows of every task aside: floor(fraction * its rows), drawn at random.

        Parameters
        ----------
        fraction : float
        generator : torch.Generator

        Returns
        -------
        train, valid : Examples
        """
        draw = torch.rand(len(self.tasks), generator=generator, dtype=torch.float64).numpy()
        order = np.lexsort((draw, self.tasks))
        counts = np.bincount(self.tasks)
        starts = np.cumsum(counts) - counts
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order)) - starts[self.tasks[order]]
        # 0.3 * 10 is a little less than 3 in floating point
        aside = rank < np.floor(fraction * counts + 1e-9)[self.tasks]
        return self.take(np.flatnonzero(~aside)), self.take(np.flatnonzero(aside))

    @staticmethod
    def concatenate(first, second):
        """The rows of both."""
        return Examples(
            *(
                np.concatenate(v)
                for v in zip(vars(first).values(), vars(second).values(), strict=True)
            )
        )

    def canonical(self):
        """The same examples whatever the order of the rows, repeated ones merged.

        A row of weight 2 and the same row twice become one and the same thing, a row of weight 0
        disappears, and the result of ``fit`` does not depend on how the caller sorted the table.
        """
        kept = self.take(np.flatnonzero(self.weights > 0))
        columns = np.column_stack([kept.tasks, kept.targets, kept.features])
        keys = pd.util.hash_pandas_object(pd.DataFrame(columns), index=False).to_numpy()
        order = np.argsort(keys, kind="stable")
        kept, keys, columns = kept.take(order), keys[order], columns[order]
        # compared in full only where the hashes agree
        new = np.ones(len(keys), dtype=bool)
        same = np.flatnonzero(keys[1:] == keys[:-1]) + 1
        new[same] = (columns[same] != columns[same - 1]).any(axis=1)
        merged = kept.take(np.flatnonzero(new))
        merged.weights = np.bincount(np.cumsum(new) - 1, weights=kept.weights)
        return merged


@dataclass
class Query:
    """Rows to predict: every row names one of a few distinct networks.

    Attributes
    ----------
    features : ndarray of shape (n, d)
        Scaled.
    networks : ndarray of shape (n,) of int64
        Which network predicts a row.
    tasks : ndarray of shape (n_networks,) of int64
        Task of each network; -1 if it was never seen.
    metadata : ndarray of shape (n_networks, d_m) or None
        Scaled facts of each network's task.
    """

    features: np.ndarray
    networks: np.ndarray
    tasks: np.ndarray
    metadata: np.ndarray | None
