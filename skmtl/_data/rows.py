"""Rows as checked and encoded arrays, for training and prediction."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

# largest mean at which integer sample weights count as numbers of rows
_LARGEST_COUNT = 20


@dataclass
class TrainingRows:
    """Rows for training or validation, encoded but not yet scaled.

    `features` are of shape (n, d), `tasks` and `weights` (n,), `targets` (n, o); if all tasks share
    the rows, `tasks` is None, and weights and targets are of shape (n, T). Weights are zero where a
    label is missing. `copies` (n,) count the rows of the caller's table that each row represents;
    `late` (n,) marks the last rows of every task, if there is an order in time.
    """

    features: np.ndarray
    tasks: np.ndarray | None
    targets: np.ndarray
    weights: np.ndarray
    copies: np.ndarray
    late: np.ndarray | None = None

    def __len__(self):
        return len(self.features)

    @property
    def shared_rows(self):
        """Whether every row is an example of every task (wide form)."""
        return self.tasks is None

    @property
    def row_weights(self):
        """Weights of the rows, summed over their labels."""
        return self.weights.sum(axis=1) if self.shared_rows else self.weights

    @property
    def n_labels(self):
        """Number of labels of the caller's table that these rows represent."""
        if self.shared_rows:
            return int((self.weights > 0).sum(axis=1) @ self.copies)
        return int(self.copies.sum())

    @property
    def mean_weight(self):
        """Mean weight of a label."""
        return self.weights[self.weights > 0].mean()

    @property
    def label_weights(self):
        """Weights whose sum is the number of labels, whatever their unit is."""
        return self.weights * (self.n_labels / self.weights.sum())

    def take(self, rows):
        """Select rows by number."""
        return TrainingRows(*(None if v is None else v[rows] for v in vars(self).values()))

    def split(self, fraction, generator, kept=None, by_task=True):
        """Draw floor(fraction * its rows) rows of every task for validation; return both parts.

        Tasks with several rows, but too few to contribute one, contribute their share together:
        random ones among them contribute one row each. Where tasks share rows, at most
        floor(fraction * its labels) labels of every task are in the rows drawn. A row that
        represents several may be in both parts, with a share of the weight; one copy of each row
        that `kept` (n,) marks stays in training. Without `by_task` all rows are as if of one task.
        """
        rows = np.repeat(np.arange(len(self)), self.copies)
        draw = torch.rand(len(rows), generator=generator, dtype=torch.float64).numpy()
        if kept is not None:
            draw[(np.cumsum(self.copies) - self.copies)[kept]] = np.inf
        if self.shared_rows:
            aside = self._choose_shared(rows, draw, fraction)
        else:
            tasks = self.tasks[rows] if by_task else np.zeros_like(rows)
            aside = self._choose_by_task(tasks, draw, fraction)
        aside &= np.isfinite(draw)
        n_aside = np.bincount(rows[aside], minlength=len(self))
        return self._part(self.copies - n_aside), self._part(n_aside)

    def split_tasks(self, fraction, generator):
        """Draw a share of the tasks, at least 2, for validation; return the rows of both parts."""
        tasks = np.unique(self.tasks)
        draw = torch.rand(len(tasks), generator=generator, dtype=torch.float64).numpy()
        n_aside = max(2, int(_share(fraction, len(tasks))))
        aside = np.isin(self.tasks, tasks[np.argsort(draw, kind="stable")[:n_aside]])
        return self.take(np.flatnonzero(~aside)), self.take(np.flatnonzero(aside))

    def _part(self, copies):
        """Return these rows with fewer copies of each."""
        rows = np.flatnonzero(copies)
        part = self.take(rows)
        share = copies[rows] / part.copies
        part.weights = part.weights * (share if part.weights.ndim == 1 else share[:, None])
        part.copies = copies[rows]
        return part

    @staticmethod
    def _choose_by_task(tasks, draw, fraction):
        """Choose the rows with the smallest draws of every task."""
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

    def _choose_shared(self, rows, draw, fraction):
        """Choose rows in order of their draws, except those of tasks that have enough."""
        labelled = (self.weights > 0)[rows]
        left = _share(fraction, labelled.sum(axis=0))
        aside = np.zeros(len(draw), dtype=bool)
        rows = np.argsort(draw, kind="stable")
        rows = rows[np.isfinite(draw[rows])]
        while len(rows):
            rows = rows[~labelled[np.ix_(rows, left <= 0)].any(axis=1)]
            # all rows up to the one with which a task has enough
            enough = (np.cumsum(labelled[rows], axis=0) >= left) & (left > 0)
            stop = np.flatnonzero(enough.any(axis=1))
            taken = rows[: stop[0] + 1] if len(stop) else rows
            aside[taken] = True
            left = left - labelled[taken].sum(axis=0)
            rows = rows[len(taken) :]
        return aside

    @staticmethod
    def concatenate(first, second):
        """Return the rows of both."""
        pairs = zip(vars(first).values(), vars(second).values(), strict=True)
        return TrainingRows(*(None if pair[0] is None else np.concatenate(pair) for pair in pairs))

    def canonical(self):
        """Sort the rows, merge repeated ones and drop those of weight 0.

        A row of weight 2 is then equivalent to the same row twice, and the result of ``fit`` does
        not depend on the order of the caller's rows. `copies` counts the merged rows.
        """
        labelled = self.weights > 0
        kept = self.take(np.flatnonzero(labelled if labelled.ndim == 1 else labelled.any(axis=1)))
        tasks = [] if kept.shared_rows else [kept.tasks]
        columns = np.column_stack([*tasks, kept.targets, kept.features])
        keys = pd.util.hash_pandas_object(pd.DataFrame(columns), index=False).to_numpy()
        order = np.argsort(keys, kind="stable")
        kept, keys, columns = kept.take(order), keys[order], columns[order]
        # full comparison only where hashes agree; missing labels are equal to each other
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
    """Count the rows that each row represents: integer weights are counts unless they are large."""
    ones = np.ones(n_rows, dtype=np.int64)
    if sample_weight is None:
        return ones
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n_rows,) or not np.array_equal(weights, np.floor(weights)):
        return ones
    # weights of a survey, for example, are not counts: a person is not thousands of rows
    counted = weights[weights > 0]
    return weights.astype(np.int64) if counted.mean() <= _LARGEST_COUNT else ones


def _share(fraction, counts):
    # 0.3 * 10 is a little less than 3 in floating point
    return np.floor(fraction * counts + 1e-9)


@dataclass
class PredictionRows:
    """Rows to predict, each by one of a few distinct networks, or by all of them.

    `features` (n, d) are scaled, and so is the `metadata` (n_networks, d_m), or None, of each
    network's task. `networks` (n,) is the index of the network that predicts a row, or None if all
    tasks share the rows, so that every network does. `tasks` (n_networks,) is the index of each
    network's task; -1 is unseen.
    """

    features: np.ndarray
    networks: np.ndarray | None
    tasks: np.ndarray
    metadata: np.ndarray | None

    @property
    def shared_rows(self):
        """Whether every row is an example of every task (wide form)."""
        return self.networks is None

    def take(self, rows):
        """Return some of the rows, and the networks that these need."""
        needed, networks = np.unique(self.networks[rows], return_inverse=True)
        metadata = None if self.metadata is None else self.metadata[needed]
        return PredictionRows(self.features[rows], networks, self.tasks[needed], metadata)
