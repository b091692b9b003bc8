"""Metrics of predicted probabilities: area under the curve, average precision, log loss."""

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from skmtl._data.task_ids import encode
from skmtl.metrics._metric import Metric


def encoded(part):
    """Return labels as column numbers (n,), and the probabilities they refer to.

    Probabilities have shape (n, n_classes), or (n,) if there is only the second class's.
    """
    probabilities = part.y_pred
    one_class = part.classes is not None and len(part.classes) == 1
    if one_class:
        probabilities = probabilities.reshape(len(part.y_true), -1)
    elif probabilities.ndim == 2 and probabilities.shape[1] == 1:
        probabilities = probabilities[:, 0]
    n_classes = 2 if probabilities.ndim == 1 else probabilities.shape[1]
    numbers, seen = pd.factorize(part.y_true)
    classes = default_classes(seen, n_classes) if part.classes is None else part.classes
    if len(classes) != n_classes:
        what = f"the labels {seen.tolist()}" if part.classes is None else f"{len(classes)} classes"
        raise ValueError(
            f"the task {part.task!r} has {what}, but y_pred has probabilities of {n_classes} "
            "classes. Pass labels= with the classes of each task, in the order of the columns of "
            "its probabilities."
        )
    column_of = {label: column for column, label in enumerate(np.asarray(classes).tolist())}
    unknown = [label for label in seen.tolist() if label not in column_of]
    if unknown:
        raise ValueError(
            f"y_true of the task {part.task!r} has labels for which there are no probabilities: "
            f"{unknown}. Its classes are {list(column_of)}; check labels=, or make sure that each "
            "class is among the training rows, for example with stratified folds."
        )
    columns = np.array([column_of[label] for label in seen.tolist()], dtype=int)
    return columns[numbers], probabilities


def default_classes(seen, n_classes):
    """Return the sorted labels, or 0 and 1, or -1 and 1, if only one of two classes occurs."""
    if len(seen) == 1 and n_classes == 2:
        for pair in ([0, 1], [-1, 1]):
            if seen[0] in pair:
                return pair
    return encode(pd.Index(seen))[1].tolist() if len(seen) else []


def _narrowed(codes, probabilities):
    """Remove classes without labels, and rescale the other probabilities to sum to 1."""
    if probabilities.ndim == 1:
        return codes, probabilities
    n_classes = probabilities.shape[1]
    present = np.unique(codes)
    if n_classes > 2 and len(present) < n_classes:
        codes, probabilities = np.searchsorted(present, codes), probabilities[:, present]
        total = probabilities.sum(axis=1, keepdims=True)
        # where all other probabilities are 0, all classes are equally likely
        probabilities = np.where(total > 0, probabilities, 1.0) / np.where(
            total > 0, total, len(present)
        )
    return codes, probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities


class Ranking(Metric):
    """A metric of the ranking of rows by the probability of a class."""

    content = "probabilities"
    kind = "classification"
    greater_is_better = True

    def of_all(self, parts):
        pooled = [_flags(part) for part in parts]
        if not pooled:
            return np.nan
        flags, scores, weights = map(np.concatenate, zip(*pooled, strict=True))
        if not self._flags_are_enough(flags):
            return np.nan
        return float(self.function(flags, scores, sample_weight=weights))


def _flags(part):
    """Return a flag, probability and weight for each pair of a row and a class.

    The flag tells whether the class is the row's label. With two classes, only the second is used;
    classes that do not occur in the task are ignored.
    """
    codes, probabilities = encoded(part)
    weight = np.ones(len(codes)) if part.weight is None else part.weight
    if probabilities.ndim == 2 and probabilities.shape[1] == 2:
        probabilities = probabilities[:, 1]
    if probabilities.ndim == 1:
        return codes == 1, probabilities, weight
    flags = codes[:, None] == np.arange(probabilities.shape[1])
    known = flags.any(axis=0) | (probabilities != 0).any(axis=0)
    n_known = known.sum()
    return flags[:, known].ravel(), probabilities[:, known].ravel(), np.repeat(weight, n_known)


class RocAuc(Ranking):
    """Area under the ROC curve."""

    needs = "labels of at least two classes"

    def __init__(self):
        super().__init__("ROC AUC", roc_auc_score)

    def is_defined(self, part):
        return len(pd.unique(part.y_true)) > 1

    def of_task(self, part):
        codes, probabilities = _narrowed(*encoded(part))
        settings = {"sample_weight": part.weight}
        if probabilities.ndim == 2:
            settings |= {"multi_class": "ovr", "labels": np.arange(probabilities.shape[1])}
        return float(roc_auc_score(codes, probabilities, **settings))

    @staticmethod
    def _flags_are_enough(flags):
        return flags.any() and not flags.all()


class AveragePrecision(Ranking):
    """Mean of the precisions at all thresholds, weighted by the increase in recall."""

    needs = "a label of the positive class, or of two classes if there are more than two"

    def __init__(self):
        super().__init__("average precision", average_precision_score)

    def is_defined(self, part):
        if not len(part.y_true):
            return False
        codes, probabilities = _narrowed(*encoded(part))
        return (codes == 1).any() if probabilities.ndim == 1 else probabilities.shape[1] > 1

    def of_task(self, part):
        codes, probabilities = _narrowed(*encoded(part))
        if probabilities.ndim == 2:
            codes = codes[:, None] == np.arange(probabilities.shape[1])
        return float(average_precision_score(codes, probabilities, sample_weight=part.weight))

    @staticmethod
    def _flags_are_enough(flags):
        return flags.any()


class LogLoss(Metric):
    """Negative mean log-probability of the labels."""

    content = "probabilities"
    kind = "classification"

    def __init__(self):
        super().__init__("log loss", log_loss)

    def of_task(self, part):
        codes, probabilities = encoded(part)
        if probabilities.ndim == 1:
            probabilities = np.column_stack([1 - probabilities, probabilities])
        n_classes = probabilities.shape[1]
        if n_classes == 1:
            return 0.0  # the only class has probability 1
        total = probabilities.sum(axis=1, keepdims=True)
        if np.allclose(total, 1, rtol=0, atol=1e-5):
            # allow for single precision; scikit-learn warns about larger deviations
            probabilities = probabilities / total
        return float(
            log_loss(codes, probabilities, sample_weight=part.weight, labels=np.arange(n_classes))
        )

    def of_all(self, parts):
        if not parts:
            return np.nan
        weights = [len(part.y_true) if part.weight is None else part.weight.sum() for part in parts]
        return float(np.average([self.of_task(part) for part in parts], weights=weights))
