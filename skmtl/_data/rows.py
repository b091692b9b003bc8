"""Rows as arrays: checked and encoded, to train on or to predict.

What the tables give to the estimators.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

# mean of whole sample weights up to which they count rows
_LARGEST_COUNT = 20


@dataclass
class Examples:
    """Rows ready to train on: scaled later, checked and encoded already.

    Attributes
    ----------
    features : ndarray of shape (n, d)
    tasks : ndarray of shape (n,) of int64, or None in wide form
    targets : ndarray of shape (n, o), or (n, T) in wide form
    weights : ndarray of shape (n,), or (n, T) in wide form
        Zero where a label is missing.
    copies : ndarray of shape (n,) of int64
        How many rows of the caller's table each row stands for.
    """

    features: np.ndarray
    tasks: np.ndarray | None
    targets: np.ndarray
    weights: np.ndarray
    copies: np.ndarray

    def __len__(self):
        return len(self.features)

    @property
    def row_weights(self):
        """Weights of the rows; in wide form those of all their labels."""
        return self.weights if self.tasks is not None else self.weights.sum(axis=1)

    @property
    def n_labels(self):
        """Labels of the caller's table that these rows stand for."""
        if self.tasks is not None:
            return int(self.copies.sum())
        return int((self.weights > 0).sum(axis=1) @ self.copies)

    @property
    def mean_weight(self):
        """Mean weight of a label."""
        return self.weights[self.weights > 0].mean()

    def take(self, rows):
        """Some of the rows."""
        return Examples(*(None if v is None else v[rows] for v in vars(self).values()))

    def split(self, fraction, generator, kept=None):
        """Set rows of every task aside: floor(fraction * its rows), drawn at random.

        Tasks of several rows that are too small for one give their share together: some of them
        give a row. In wide form floor(fraction * its labels) is the most labels of any task that
        are set aside with the rows. A row that stands for several may be on both sides, with its
        share of the weight.

        Parameters
        ----------
        fraction : float
        generator : torch.Generator
        kept : ndarray of shape (n,) of bool, optional
            Rows of which a copy stays behind.

        Returns
        -------
        train, valid : Examples
        """
        rows = np.repeat(np.arange(len(self)), self.copies)
        draw = torch.rand(len(rows), generator=generator, dtype=torch.float64).numpy()
        if kept is not None:
            draw[(np.cumsum(self.copies) - self.copies)[kept]] = np.inf
        aside = self._aside_wide if self.tasks is None else self._aside_long
        aside = aside(rows, draw, fraction) & np.isfinite(draw)
        n_aside = np.bincount(rows[aside], minlength=len(self))
        return self._part(self.copies - n_aside), self._part(n_aside)

    def _part(self, copies):
        """These rows with fewer copies of each."""
        rows = np.flatnonzero(copies)
        part = self.take(rows)
        share = copies[rows] / part.copies
        part.weights = part.weights * (share if part.weights.ndim == 1 else share[:, None])
        part.copies = copies[rows]
        return part

    def _aside_long(self, rows, draw, fraction):
        tasks = self.tasks[rows]
        order = np.lexsort((draw, tasks))
        counts = np.bincount(tasks)
        starts = np.cumsum(counts) - counts
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order)) - starts[tasks[order]]
        share = _share(fraction, counts)
        small = np.flatnonzero((share == 0) & (counts > 1))
        n_more = int(_share(fraction, counts[small].sum()))
        first = draw[order[starts[small]]]
        share[small[np.argsort(first, kind="stable")[:n_more]]] = 1
        return rank < share[tasks]

    def _aside_wide(self, rows, draw, fraction):
        """Go through the rows in order; take those that no task has had enough of."""
        labelled = (self.weights > 0)[rows]
        left = _share(fraction, labelled.sum(axis=0))
        aside = np.zeros(len(draw), dtype=bool)
        rows = np.argsort(draw, kind="stable")
        rows = rows[np.isfinite(draw[rows])]
        while len(rows):
            rows = rows[~labelled[np.ix_(rows, left <= 0)].any(axis=1)]
            # all rows up to the one with which a task has had enough
            enough = (np.cumsum(labelled[rows], axis=0) >= left) & (left > 0)
            stop = np.flatnonzero(enough.any(axis=1))
            taken = rows[: stop[0] + 1] if len(stop) else rows
            aside[taken] = True
            left = left - labelled[taken].sum(axis=0)
            rows = rows[len(taken) :]
        return aside

    @staticmethod
    def concatenate(first, second):
        """The rows of both."""
        pairs = zip(vars(first).values(), vars(second).values(), strict=True)
        return Examples(*(None if pair[0] is None else np.concatenate(pair) for pair in pairs))

    def canonical(self):
        """The same examples whatever the order of the rows, repeated ones merged.

        A row of weight 2 and the same row twice become one and the same thing, a row of weight 0
        disappears, and the result of ``fit`` does not depend on how the caller sorted the table.
        How many rows were merged is remembered in `copies`.
        """
        labelled = self.weights > 0
        kept = self.take(np.flatnonzero(labelled if labelled.ndim == 1 else labelled.any(axis=1)))
        tasks = [] if kept.tasks is None else [kept.tasks]
        columns = np.column_stack([*tasks, kept.targets, kept.features])
        keys = pd.util.hash_pandas_object(pd.DataFrame(columns), index=False).to_numpy()
        order = np.argsort(keys, kind="stable")
        kept, keys, columns = kept.take(order), keys[order], columns[order]
        # compared in full only where the hashes agree; a missing label is equal to another
        new = np.ones(len(keys), dtype=bool)
        same = np.flatnonzero(keys[1:] == keys[:-1]) + 1
        one, other = columns[same], columns[same - 1]
        new[same] = ((one != other) & ~(np.isnan(one) & np.isnan(other))).any(axis=1)
        starts = np.flatnonzero(new)
        merged = kept.take(starts)
        merged.weights = np.add.reduceat(kept.weights, starts, axis=0)
        merged.copies = np.add.reduceat(kept.copies, starts)
        return merged


def row_counts(sample_weight, n_rows):
    """How many rows each row stands for: whole weights are counts, unless they are large.

    Returns
    -------
    ndarray of shape (n_rows,) of int64
    """
    ones = np.ones(n_rows, dtype=np.int64)
    if sample_weight is None:
        return ones
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n_rows,) or not np.array_equal(weights, np.floor(weights)):
        return ones
    # those of a survey, say, are no counts: a person is not thousands of rows
    counted = weights[weights > 0]
    return weights.astype(np.int64) if counted.mean() <= _LARGEST_COUNT else ones


def _share(fraction, counts):
    # 0.3 * 10 is a little less than 3 in floating point
    return np.floor(fraction * counts + 1e-9)


@dataclass
class Query:
    """Rows to predict: every row names one of a few distinct networks.

    In wide form every network predicts every row.

    Attributes
    ----------
    features : ndarray of shape (n, d)
        Scaled.
    networks : ndarray of shape (n,) of int64, or None in wide form
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
