"""Targets that are classes."""

from numbers import Real

import numpy as np
import pandas as pd
import torch
from scipy.special import log_expit, log_softmax, logsumexp
from sklearn.utils.class_weight import compute_class_weight

from skmtl._data.column_target import ColumnTarget
from skmtl._data.messages import label_text
from skmtl.training import BinaryLoss


class ClassTarget(ColumnTarget):
    """One of two or more classes, sorted in `classes` of shape (C,).

    If it is `binary` there are two, even if only one of them, 0 or 1, occurs in the labels: `seen`
    is then the index of the one that occurs, and the other one is its complement.
    """

    loss_unit = 1.0

    def __init__(self, class_weight=None, binary=False):
        self.class_weight, self.binary, self.seen = class_weight, binary, None

    @property
    def kind(self):
        """Either "binary" or "multiclass"."""
        return "binary" if self.binary or len(self.classes) == 2 else "multiclass"

    @property
    def n_outputs(self):
        """1, a logit, for two classes; otherwise the number of classes."""
        return 1 if len(self.classes) == 2 else len(self.classes)

    def fit_classes(self, labels, where):
        """Learn the classes of labels of shape (n,), none missing; errors name the column `where`.

        Labels that cannot be sorted raise an error, and so do more than two classes if `binary`.
        """
        try:
            self.classes = np.unique(labels)
        except TypeError as error:
            types = sorted({type(label).__name__ for label in labels})
            raise ValueError(
                f"{where} mixes labels of the types {types}, which cannot be sorted; make them "
                "all strings or all numbers."
            ) from error
        if self.binary and len(self.classes) > 2:
            raise ValueError(
                f"task_types says that {where} is binary, but it has {len(self.classes)} classes: "
                f"{self.classes[:20].tolist()}."
            )
        if self.binary and len(self.classes) == 1 and is_zero_one(self.classes):
            (label,) = self.classes.tolist()
            self.seen = int(label)
            self.classes = np.array([type(label)(0), type(label)(1)], dtype=self.classes.dtype)

    def encode(self, column, where):
        missing = column.isna().to_numpy()
        labels = column.to_numpy()
        codes = np.full(len(labels), np.nan)
        known = pd.Index(self.classes).get_indexer(pd.Index(labels[~missing]))
        if (known < 0).any():
            row = np.flatnonzero(~missing)[known < 0][0]
            raise ValueError(
                f"{where} has the label {label_text(labels[row])} in row {column.index[row]}, "
                f"which fit did not see; it knows {self.classes[:20].tolist()}."
            )
        codes[~missing] = known
        return codes

    def fit_weights(self, codes, weights):
        """Learn the weights of the classes from class numbers and sample weights of shape (n,)."""
        if self.class_weight == "balanced":
            totals = np.bincount(codes, weights=weights, minlength=len(self.classes))
            present = totals > 0
            self.weights = np.ones(len(self.classes))
            self.weights[present] = totals.sum() / (present.sum() * totals[present])
        else:
            self._check_class_weight()
            self.weights = compute_class_weight(
                self.class_weight, classes=self.classes, y=self.classes[codes]
            )

    def _check_class_weight(self):
        if self.class_weight is None:
            return
        if not isinstance(self.class_weight, dict):
            raise ValueError(
                f"class_weight must be None, 'balanced' or a dict, got {self.class_weight!r}."
            )
        unknown = [label for label in self.class_weight if label not in self.classes]
        if unknown:
            raise ValueError(
                f"class_weight names {unknown}, but the classes are {self.classes[:20].tolist()}."
            )
        for label, weight in self.class_weight.items():
            if not (isinstance(weight, Real) and 0 <= weight < np.inf):
                raise ValueError(f"class_weight must be at least 0, got {weight!r} for {label!r}.")

    def fit_scale(self, values, weights):
        """Do nothing: classes have no scale."""

    def scale(self, values):
        """Return class numbers unchanged."""
        return values

    def members(self, outputs, allowed=None):
        if len(self.classes) == 1:
            return np.zeros((*outputs.shape[:-1], 1))
        if self.kind == "binary":
            logit = outputs[..., 0]
            logs = np.stack([log_expit(-logit), log_expit(logit)], axis=-1)
            if self.seen is not None:
                # nothing is known about the other class
                logs[..., self.seen], logs[..., 1 - self.seen] = 0, -np.inf
            return logs
        logits = outputs[..., : self.n_outputs]
        if allowed is not None:
            logits = np.where(allowed, logits, -np.inf)
        return log_softmax(logits, axis=-1)

    def outputs_for(self, predictions):
        if self.kind == "binary":
            return predictions[..., 1:] - predictions[..., :1]
        return predictions

    @staticmethod
    def mean(members):
        """Average the members' probabilities, given and returned as logarithms."""
        if len(members) == 1:
            return members[0]
        with np.errstate(divide="ignore"):
            return logsumexp(members, axis=0) - np.log(len(members))

    def blended(self, members, base, weight):
        """Mix log probabilities, and normalise; impossible classes stay impossible."""
        impossible = np.isneginf(members)
        logs = (1 - weight) * np.where(impossible, 0.0, members) + weight * base
        return log_softmax(np.where(impossible, -np.inf, logs), axis=-1)

    def criterion(self):
        """Return the training loss of two classes; `Targets` builds that of several."""
        return BinaryLoss()

    def losses(self, predicted, labels):
        return -predicted[..., np.arange(len(labels)), labels[:, 0].astype(np.int64)]

    def resume(self, previous):
        return previous.kind == self.kind and np.array_equal(previous.classes, self.classes)

    def noise(self, losses):
        """Return the strength of a prior: a log likelihood needs no scale."""
        return torch.full_like(losses, 0.5)


def is_zero_one(labels):
    """Return whether labels are only 0 and 1, or only one of these; True for booleans."""
    return all(not isinstance(label, str) and label in (0, 1) for label in labels.tolist())
