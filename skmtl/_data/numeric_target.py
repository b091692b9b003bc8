"""Targets that are numbers."""

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler

from skmtl._data.column_target import ColumnTarget
from skmtl._data.columns import LARGEST, is_numeric
from skmtl._data.scales import moderate
from skmtl.training import NumberLoss

# interquartile range of the standard normal distribution
_INTERQUARTILE = 1.3489795003921634
# smallest prediction of a count, relative to the mean, before its logarithm is computed
SMALLEST_COUNT = 1e-9


class NumericTarget(ColumnTarget):
    """One or several numbers per row, and their loss.

    A number y is scaled to ``(y - shift) / size``, both of shape (n_outputs,). `quantile` is that
    of the pinball loss.
    """

    kind = "regression"
    classes = None

    def __init__(self, loss="squared_error", quantile=0.5, n_outputs=1):
        self.loss, self.quantile, self.n_outputs = loss, quantile, n_outputs

    def encode(self, column, where):
        if not is_numeric(column):
            raise ValueError(
                f"{where} is a regression task, but its labels are not numbers. "
                "task_types={...: 'classification'} makes it a classification task."
            )
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        self.check_counts(values, column.index, where)
        return values

    def check_counts(self, values, rows, where):
        """Raise an error for negative labels under a Poisson loss that names column and row."""
        bad = np.flatnonzero(values < 0)
        if self.loss == "poisson" and len(bad):
            raise ValueError(
                f"{where} has negative labels, the first, {values[bad[0]]:g}, in row "
                f"{rows[bad[0]]}; loss='poisson' is for counts. Use another loss."
            )

    def fit_scale(self, values, weights):
        if self.loss == "squared_error":
            with np.errstate(over="ignore", invalid="ignore"):
                scaler = StandardScaler().fit(values, sample_weight=moderate(weights))
            self.shift, self.size = scaler.mean_, scaler.scale_
        elif self.loss == "poisson":
            means = np.average(values, axis=0, weights=weights)
            self.shift, self.size = np.zeros(values.shape[1]), np.where(means > 0, means, 1.0)
        else:
            # robust losses need a robust scale, which a few outliers do not determine
            quartiles = _weighted_quantiles(values, weights, (0.25, 0.5, 0.75))
            spread = (quartiles[2] - quartiles[0]) / _INTERQUARTILE
            deviation = StandardScaler().fit(values, sample_weight=moderate(weights)).scale_
            self.shift, self.size = quartiles[1], np.where(spread > 0, spread, deviation)

    def scale(self, values):
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (values - self.shift) / self.size
        # NaN, a missing label, compares as false
        if (np.abs(scaled) > LARGEST).any() or not np.isfinite(self.size).all():
            raise ValueError(
                f"y has values as large as {np.nanmax(np.abs(values)):g}, too large or too far "
                "from the others to be learned from; correct them, or give y in a larger unit."
            )
        return scaled

    def members(self, outputs, allowed=None):
        outputs = outputs[..., : self.n_outputs]
        outputs = np.exp(outputs) if self.loss == "poisson" else outputs
        return outputs * self.size + self.shift

    def outputs_for(self, predictions):
        if self.loss != "poisson":
            return (predictions - self.shift) / self.size
        return np.log(np.maximum(predictions / self.size, SMALLEST_COUNT))

    @staticmethod
    def mean(members):
        """Average predictions of members."""
        return members.mean(axis=0)

    def blended(self, members, base, weight):
        if self.loss != "poisson":
            return (1 - weight) * members + weight * base
        smallest = SMALLEST_COUNT * self.size
        network, other = (np.log(np.maximum(values, smallest)) for values in (members, base))
        return np.exp((1 - weight) * network + weight * other)

    def criterion(self):
        """Return the training loss."""
        return NumberLoss(self.loss, self.quantile)

    def losses(self, predicted, labels):
        scaled = [torch.as_tensor((v - self.shift) / self.size) for v in (predicted, labels)]
        return self.criterion()(scaled[0], scaled[1].expand_as(scaled[0])).numpy()

    @property
    def loss_unit(self):
        """A training loss of 1 in the caller's units; 1 for several numbers per row."""
        if len(self.size) > 1:
            return 1.0
        squared = self.loss in ("squared_error", "huber")
        return float(self.size[0] ** 2 if squared else self.size[0])

    def resume(self, previous):
        if previous.kind != self.kind or previous.n_outputs != self.n_outputs:
            return False
        if (previous.loss == "poisson") != (self.loss == "poisson"):
            return False
        self.shift, self.size = previous.shift, previous.size
        return True

    def noise(self, losses):
        if self.loss in ("absolute_error", "pinball"):
            return losses / 2
        if self.loss == "poisson":
            # the loss of counts divided by their mean is the likelihood divided by that mean
            return torch.full_like(losses, 0.5 / float(np.mean(self.size)))
        return losses


def _weighted_quantiles(values, weights, quantiles):
    """Compute weighted quantiles of every column: a weight of 2 is equivalent to the row twice."""
    result = np.empty((len(quantiles), values.shape[1]))
    for k, column in enumerate(values.T):
        order = np.argsort(column, kind="stable")
        totals = np.cumsum(weights[order])
        # the smallest value whose cumulative share of the weight is large enough
        at = np.searchsorted(totals, np.asarray(quantiles) * totals[-1] * (1 - 1e-12))
        result[:, k] = column[order[np.minimum(at, len(order) - 1)]]
    return result
