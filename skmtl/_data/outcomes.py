"""What a column of y holds: numbers or classes, to and from what a network computes.

An outcome turns labels into numbers, scales them, and turns outputs back into predictions.
"""

from numbers import Real

import numpy as np
import pandas as pd
import torch
from scipy.special import log_expit, log_softmax, logsumexp
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from skmtl._data.columns import LARGEST, is_numeric
from skmtl.training import BinaryLoss, NumberLoss

# quartiles of the standard normal distribution are this far apart
_INTERQUARTILE = 1.3489795003921634


class NumberOutcome:
    """Numbers under a loss, one or several of them per row.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error", "huber", "poisson", "pinball"}
    quantile : float
        Of the pinball loss.
    n_outputs : int, default=1
        Numbers in a row.

    Attributes
    ----------
    shift, size : ndarray of shape (n_outputs,)
        A number y is scaled to ``(y - shift) / size``.
    """

    kind = "regression"
    classes = None

    def __init__(self, loss="squared_error", quantile=0.5, n_outputs=1):
        self.loss, self.quantile, self.n_outputs = loss, quantile, n_outputs

    def encode(self, column, where):
        """Numbers of a column; NaN where one is missing.

        Parameters
        ----------
        column : Series
            Its index numbers the rows.
        where : str
            The column's name in error messages.

        Returns
        -------
        ndarray of shape (n,)
        """
        if not is_numeric(column):
            raise ValueError(
                f"{where} is a regression task, but its labels are not numbers. "
                "task_types={...: 'classification'} makes it a classification task."
            )
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        self.check_counts(values, column.index, where)
        return values

    def check_counts(self, values, rows, where):
        """Refuse numbers that no Poisson distribution gives, if there has to be one.

        Parameters
        ----------
        values : ndarray of shape (n,)
        rows : sequence of n ints
            Their rows.
        where : str
        """
        bad = np.flatnonzero(values < 0)
        if self.loss == "poisson" and len(bad):
            raise ValueError(
                f"{where} has negative labels, the first, {values[bad[0]]:g}, in row "
                f"{rows[bad[0]]}; loss='poisson' is for counts. Use another loss."
            )

    def fit_scale(self, values, weights):
        """Learn the scale from labels of shape (n, n_outputs) and weights (n,)."""
        if self.loss == "squared_error":
            with np.errstate(over="ignore", invalid="ignore"):
                scaler = StandardScaler().fit(values, sample_weight=weights)
            self.shift, self.size = scaler.mean_, scaler.scale_
        elif self.loss == "poisson":
            self.shift = np.zeros(values.shape[1])
            self.size = _or_one(np.average(values, axis=0, weights=weights))
        else:
            # a few labels far out must not decide the scale, or these losses were chosen in vain
            quartiles = _quantiles(values, weights, (0.25, 0.5, 0.75))
            spread = (quartiles[2] - quartiles[0]) / _INTERQUARTILE
            deviation = StandardScaler().fit(values, sample_weight=weights).scale_
            self.shift, self.size = quartiles[1], np.where(spread > 0, spread, deviation)

    def scale(self, values):
        """Labels as the network learns them."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (values - self.shift) / self.size
        # missing ones are compared as false on both sides
        if (np.abs(scaled) > LARGEST).any() or not np.isfinite(self.size).all():
            raise ValueError(
                f"y has values as large as {np.nanmax(np.abs(values)):g}, too large or too far "
                "from the others to be learned from; correct them, or give y in a larger unit."
            )
        return scaled

    def members(self, outputs, allowed=None):
        """Predictions of every member, in the caller's units.

        Parameters
        ----------
        outputs : ndarray of shape (M, k, n)
            The first `n_outputs` along the last axis are looked at.

        Returns
        -------
        ndarray of shape (M, k, n_outputs)
        """
        outputs = outputs[..., : self.n_outputs]
        outputs = np.exp(outputs) if self.loss == "poisson" else outputs
        return outputs * self.size + self.shift

    @staticmethod
    def mean(members):
        """Prediction of all members together, along the first axis."""
        return members.mean(axis=0)

    def criterion(self):
        """Loss for training."""
        return NumberLoss(self.loss, self.quantile)

    def losses(self, predicted, labels):
        """Loss of every label, as training measures it.

        Parameters
        ----------
        predicted : ndarray of shape (..., n, n_outputs)
            In the caller's units.
        labels : ndarray of shape (n, n_outputs)

        Returns
        -------
        ndarray of shape (..., n)
        """
        scaled = [torch.as_tensor((v - self.shift) / self.size) for v in (predicted, labels)]
        return self.criterion()(scaled[0], scaled[1].expand_as(scaled[0])).numpy()

    @property
    def loss_unit(self):
        """Loss of 1 in training, in the caller's units; several numbers in a row have none."""
        if len(self.size) > 1:
            return 1.0
        squared = self.loss in ("squared_error", "huber")
        return float(self.size[0] ** 2 if squared else self.size[0])

    def resume(self, other):
        """Take over the scale of an outcome, whose network is trained on.

        Returns
        -------
        bool
            False if it is of another kind.
        """
        if other.kind != self.kind or other.n_outputs != self.n_outputs:
            return False
        if (other.loss == "poisson") != (self.loss == "poisson"):
            return False
        self.shift, self.size = other.shift, other.size
        return True

    def noise(self, losses):
        """Strength of a squared penalty that has unit variance as its prior, given what is left.

        With errors as the loss supposes (normal, Laplace, Poisson), minimising summed losses plus
        `noise` times the squared distance gives the most probable value.
        """
        if self.loss in ("absolute_error", "pinball"):
            return losses / 2
        if self.loss == "poisson":
            # of counts divided by their mean the loss is the likelihood divided by it
            return torch.full_like(losses, 0.5 / float(np.mean(self.size)))
        return losses


class ClassOutcome:
    """One of several classes.

    Parameters
    ----------
    class_weight : dict, "balanced" or None

    Attributes
    ----------
    classes : ndarray of shape (C,)
        Sorted.
    n_outputs : int
        1 for two classes, whose logit it is, else C.
    """

    def __init__(self, class_weight=None):
        self.class_weight = class_weight

    @property
    def kind(self):
        """Either "binary" or "multiclass"."""
        return "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def n_outputs(self):
        """Outputs that a network has for it."""
        return 1 if len(self.classes) == 2 else len(self.classes)

    def learn_classes(self, labels, where):
        """Learn which classes there are from labels, none missing."""
        try:
            self.classes = np.unique(labels)
        except TypeError as error:
            types = sorted({type(label).__name__ for label in labels})
            raise ValueError(
                f"{where} mixes labels of the types {types}, which cannot be sorted; make them "
                "all strings or all numbers."
            ) from error

    def encode(self, column, where):
        """Class numbers of a column, whose index numbers the rows; NaN where one is missing."""
        missing = column.isna().to_numpy()
        labels = column.to_numpy()
        codes = np.full(len(labels), np.nan)
        found = pd.Index(self.classes).get_indexer(pd.Index(labels[~missing]))
        if (found < 0).any():
            row = np.flatnonzero(~missing)[found < 0][0]
            raise ValueError(
                f"{where} has the label {labels[row]!r} in row {column.index[row]}, which fit did "
                f"not see; it knows {self.classes[:20].tolist()}."
            )
        codes[~missing] = found
        return codes

    def weigh(self, codes, weights, learn):
        """Weights of the classes, for each of some labels.

        Parameters
        ----------
        codes : ndarray of shape (n,)
            Class numbers, none missing.
        weights : ndarray of shape (n,)
            Sample weights.
        learn : bool
            Whether the weights of the classes are to be learned from these labels.

        Returns
        -------
        ndarray of shape (n,)
        """
        if learn:
            if self.class_weight == "balanced":
                totals = np.bincount(codes, weights=weights, minlength=len(self.classes))
                self.weights_ = totals.sum() / (len(self.classes) * totals)
            else:
                self._check_weights()
                self.weights_ = compute_class_weight(
                    self.class_weight, classes=self.classes, y=self.classes[codes]
                )
        return self.weights_[codes]

    def _check_weights(self):
        """Refuse weights of classes that are none."""
        given = self.class_weight
        if given is None:
            return
        if not isinstance(given, dict):
            raise ValueError(f"class_weight must be None, 'balanced' or a dict, got {given!r}.")
        unknown = [label for label in given if label not in self.classes]
        if unknown:
            raise ValueError(
                f"class_weight names {unknown}, but the classes are {self.classes[:20].tolist()}."
            )
        for label, weight in given.items():
            if not (isinstance(weight, Real) and 0 <= weight < np.inf):
                raise ValueError(f"class_weight must be at least 0, got {weight!r} for {label!r}.")

    def fit_scale(self, values, weights):
        """Classes have no scale."""

    def scale(self, values):
        """Class numbers stay as they are."""
        return values

    def members(self, outputs, allowed=None):
        """Logarithms of the classes' probabilities, for every member.

        Parameters
        ----------
        outputs : ndarray of shape (M, k, n)
        allowed : ndarray of shape (k, C) of bool, optional
            Classes that are possible for each row.

        Returns
        -------
        ndarray of shape (M, k, C)
        """
        if self.kind == "binary":
            logit = outputs[..., 0]
            return np.stack([log_expit(-logit), log_expit(logit)], axis=-1)
        logits = outputs[..., : self.n_outputs]
        if allowed is not None:
            logits = np.where(allowed, logits, -np.inf)
        return log_softmax(logits, axis=-1)

    @staticmethod
    def mean(members):
        """Logarithms of the mean probabilities of all members."""
        if len(members) == 1:
            return members[0]
        with np.errstate(divide="ignore"):
            return logsumexp(members, axis=0) - np.log(len(members))

    def criterion(self):
        """Loss for training, with two classes; several tasks' classes are one loss together."""
        return BinaryLoss()

    def losses(self, logs, codes):
        """Negative log likelihood of every label.

        Parameters
        ----------
        logs : ndarray of shape (..., n, C)
            Logarithms of probabilities.
        codes : ndarray of shape (n, 1)
            Class numbers.

        Returns
        -------
        ndarray of shape (..., n)
        """
        return -logs[..., np.arange(len(codes)), codes[:, 0].astype(np.int64)]

    loss_unit = 1.0

    def resume(self, other):
        """Whether the network of another outcome can be trained on."""
        return other.kind == self.kind and np.array_equal(other.classes, self.classes)

    def noise(self, losses):
        """As for numbers; a likelihood is on its own scale already."""
        return torch.full_like(losses, 0.5)


def _or_one(values):
    return np.where(values > 0, values, 1.0)


def _quantiles(values, weights, quantiles):
    """Weighted quantiles of every column, as of a table that repeats its rows."""
    result = np.empty((len(quantiles), values.shape[1]))
    for k, column in enumerate(values.T):
        order = np.argsort(column, kind="stable")
        totals = np.cumsum(weights[order])
        # the smallest value with at least this share of the weight up to it
        at = np.searchsorted(totals, np.asarray(quantiles) * totals[-1] * (1 - 1e-12))
        result[:, k] = column[order[np.minimum(at, len(order) - 1)]]
    return result
