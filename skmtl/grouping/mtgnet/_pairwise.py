"""The baseline of MTG-Net: a Gaussian process in which similar partners give similar gains.

Its linear part is the mean over partners, as in high-order approximation. It is not in the paper.
"""

import numpy as np

from skmtl._persistence import saveable

# variances of: the mean over partners, their sum, the level of the task, the rest of the group
_VARIANCES = [(1.0, 0.0, 0.3, 1.0), (1.0, 0.3, 0.3, 1.0), (0.3, 1.0, 0.3, 1.0)]
_NOISES = (0.01, 0.1, 0.5)
# shares of the similarity of tasks that their metadata may explain
_METADATA_SHARES = (0.0, 0.5, 0.95)
# ridge penalty of the linear trend of all gains in the size of the group
_TREND_PENALTY = 2.0


@saveable
class PairwiseProcess:
    """Gaussian process over a task and its partners.

    The `similarity` of tasks is 1 on the diagonal; without metadata, it is the identity matrix.
    """

    def __init__(self, similarity):
        self.full_similarity = self.similarity = similarity
        self.independent = np.array_equal(similarity, np.eye(len(similarity)))

    def fit(self, groups, gains):
        """Fit to groups of several tasks; choose variances, noise and share by the evidence."""
        self.examples = _Examples(groups)
        y = gains[groups]
        trend = self._trend(groups)
        penalty = _TREND_PENALTY * np.eye(2)
        self.slopes = np.linalg.solve(trend.T @ trend + penalty, trend.T @ y)
        y = y - trend @ self.slopes
        self.scale = np.sqrt((y**2).mean()) if len(y) and np.any(y) else 1.0
        y = y / self.scale
        best, choice = -np.inf, None
        for share in (1.0,) if self.independent else _METADATA_SHARES:
            self.share = share
            self.similarity = self._shrink(self.full_similarity)
            for variances in _VARIANCES:
                for noise in _NOISES:
                    blocks = self._solve(variances, noise, y)
                    evidence = sum(block[3] for block in blocks)
                    if evidence > best:
                        best, choice = evidence, (self.share, variances, noise, blocks)
        self.share, self.variances, self.noise, self.blocks = choice
        self.similarity = self._shrink(self.full_similarity)
        return self

    def _shrink(self, similarity):
        """Multiply the similarity of different tasks by the share that metadata explain."""
        return self.share * similarity + (1 - self.share) * np.eye(len(similarity))

    @staticmethod
    def _trend(groups):
        """Return 1 and the relative size of the group for each of its tasks."""
        share = (groups.sum(axis=1) - 1) / max(groups.shape[1] - 1, 1)
        share = np.repeat(share, groups.sum(axis=1))
        return np.column_stack([np.ones(len(share)), share])

    def _parts(self, examples):
        """Return uncorrelated sets of rows: one for each task, or all rows."""
        if not self.independent:
            return [np.arange(len(examples))]
        return [np.flatnonzero(examples.tasks == t) for t in range(len(self.similarity))]

    def _kernel(self, first, second, variances, similarity=None):
        mean, total, level, rest = variances
        similarity = self.similarity if similarity is None else similarity
        same = similarity[np.ix_(first.tasks, second.tasks)]
        a, b = first.partners, second.partners
        common = a @ b.T
        overlap = common if self.independent else a @ similarity @ b.T
        n_first, n_second = a.sum(1)[:, None], b.sum(1)[None]
        shares = overlap / np.maximum(n_first, 1) / np.maximum(n_second, 1)
        most = len(self.similarity) - 1
        near = np.exp(-2 * (n_first + n_second - 2 * common) / (most + 1))
        return same * (mean * shares + total * overlap / most + level + rest * near)

    def _prior(self, examples, similarity):
        """Return the prior variances of examples."""
        mean, total, level, rest = self.variances
        a = examples.partners
        overlap = (a * (a if self.independent else a @ similarity)).sum(1)
        shares = overlap / np.maximum(a.sum(1), 1) ** 2
        return mean * shares + total * overlap / (len(self.similarity) - 1) + level + rest

    def _solve(self, variances, noise, y):
        """Return examples, inverse kernel, weights and log evidence of each set of rows."""
        blocks = []
        for rows in self._parts(self.examples):
            part = self.examples.take(rows)
            matrix = self._kernel(part, part, variances) + noise * np.eye(len(rows))
            inverse = np.linalg.inv(matrix) if len(rows) else matrix
            weights = inverse @ y[rows]
            log_det = np.linalg.slogdet(matrix)[1] if len(rows) else 0.0
            blocks.append((part, inverse, weights, -0.5 * (y[rows] @ weights + log_det)))
        return blocks

    def predict(self, groups, similarity=None):
        """Predict mean and standard deviation of gains; `similarity` may have additional tasks."""
        examples = _Examples(groups)
        similarity = self.similarity if similarity is None else self._shrink(similarity)
        mean, variance = np.zeros(len(examples)), np.zeros(len(examples))
        parts = zip(self._parts(examples), self.blocks, strict=True)
        for rows, (part, inverse, weights, _) in parts:
            part = part.widened(groups.shape[1])
            for chunk in np.array_split(rows, max(1, len(rows) // 1000)):
                new = examples.take(chunk)
                kernel = self._kernel(new, part, self.variances, similarity)
                mean[chunk] = kernel @ weights
                prior = self._prior(new, similarity)
                variance[chunk] = prior - ((kernel @ inverse) * kernel).sum(1)
        mean = self._trend(groups) @ self.slopes + self.scale * mean
        return _spread(mean, groups), _spread(self.scale * np.sqrt(variance.clip(0)), groups)

    def held_out_errors(self, gains):
        """Return the true gains minus those predicted with their group held out from `fit`."""
        errors = np.full(len(self.examples), np.nan)
        parts = zip(self._parts(self.examples), self.blocks, strict=True)
        for rows, (part, inverse, weights, _) in parts:
            for group in np.unique(part.groups):
                held = np.flatnonzero(part.groups == group)
                errors[rows[held]] = np.linalg.solve(inverse[np.ix_(held, held)], weights[held])
        return _spread(self.scale * errors, ~np.isnan(gains))


def _spread(values, groups):
    """Return values of the tasks in groups as a table, NaN outside them."""
    table = np.full(groups.shape, np.nan)
    table[groups] = values
    return table


@saveable
class _Examples:
    """Pairs of a task and a group that contains it, with the partners of the task."""

    def __init__(self, groups):
        self.groups, self.tasks = np.nonzero(groups)
        self.partners = groups[self.groups].astype(np.float64)
        self.partners[np.arange(len(self.tasks)), self.tasks] = 0

    def __len__(self):
        return len(self.tasks)

    def widened(self, n_tasks):
        """Return the examples with additional tasks, which are in none of the groups."""
        part = self.take(slice(None))
        more = n_tasks - self.partners.shape[1]
        part.partners = np.pad(self.partners, ((0, 0), (0, more)))
        return part

    def take(self, rows):
        """Return a subset of the examples."""
        part = object.__new__(_Examples)
        vars(part).update({name: values[rows] for name, values in vars(self).items()})
        return part
