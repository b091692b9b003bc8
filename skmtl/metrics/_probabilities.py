"""Metrics of predicted probabilities: area under the curve, average precision, log loss."""

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from skmtl._data.task_ids import encode
from skmtl.metrics._metric import Metric


def encoded(piece):
    """Labels as numbers of the columns of the probabilities.

    Returns
    -------
    codes : ndarray of shape (n,)
    probabilities : ndarray of shape (n, n_classes), or (n,) for the second of two classes
    """
    probabilities = piece.y_pred
    one_class = piece.classes is not None and len(piece.classes) == 1
    if one_class:
        probabilities = probabilities.reshape(len(piece.y_true), -1)
    elif probabilities.ndim == 2 and probabilities.shape[1] == 1:
        probabilities = probabilities[:, 0]
    n_classes = 2 if probabilities.ndim == 1 else probabilities.shape[1]
    numbers, seen = pd.factorize(piece.y_true)
    classes = default_classes(seen, n_classes) if piece.classes is None else piece.classes
    if len(classes) != n_classes:
        what = f"the labels {seen.tolist()}" if piece.classes is None else f"{len(classes)} classes"
        raise ValueError(
            f"the task {piece.task!r} has {what}, but y_pred has probabilities of {n_classes} "
            "classes. Pass labels= with the classes of each task, in the order of the columns of "
            "its probabilities."
        )
    column_of = {label: column for column, label in enumerate(np.asarray(classes).tolist())}
    unknown = [label for label in seen.tolist() if label not in column_of]
    if unknown:
        raise ValueError(
            f"y_true of the task {piece.task!r} has labels for which there are no probabilities: "
            f"{unknown}. Its classes are {list(column_of)}; check labels=, or make sure that each "
            "class is among the training rows, for example with stratified folds."
        )
    columns = np.array([column_of[label] for label in seen.tolist()], dtype=int)
    return columns[numbers], probabilities


def default_classes(seen, n_classes):
    """Sorted labels; of a single one that is usual for two classes, both."""
    if len(seen) == 1 and n_classes == 2:
        for pair in ([0, 1], [-1, 1]):
            if seen[0] in pair:
                return pair
    return encode(pd.Index(seen))[1].tolist() if len(seen) else []


def _narrowed(codes, probabilities):
    """Leave out classes without labels; what remains sums to one again.

    Returns
    -------
    codes : ndarray of shape (n,)
    probabilities : ndarray of shape (n, n_present), or (n,) for the second of two classes
    """
    if probabilities.ndim == 1:
        return codes, probabilities
    n_classes = probabilities.shape[1]
    present = np.unique(codes)
    if n_classes > 2 and len(present) < n_classes:
        codes, probabilities = np.searchsorted(present, codes), probabilities[:, present]
        total = probabilities.sum(axis=1, keepdims=True)
        # nothing is left of some rows: all classes are equally likely
        probabilities = np.where(total > 0, probabilities, 1.0) / np.where(
            total > 0, total, len(present)
        )
    return codes, probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities


class Ranking(Metric):
    """A metric that looks at how the rows are ordered by the probability of a class."""

    content = "probabilities"
    kind = "classification"
    greater_is_better = True

    def of_all(self, pieces):
        pooled = [_flags(piece) for piece in pieces]
        if not pooled:
            return np.nan
        flags, scores, weights = map(np.concatenate, zip(*pooled, strict=True))
        if not self._flags_are_enough(flags):
            return np.nan
        return float(self.function(flags, scores, sample_weight=weights))


def _flags(piece):
    """Of all pairs of a row and a class: whether it is the row's, probability and weight.

    Of two classes only the second counts. Classes of which the task knows nothing, such as those
    of other tasks in long form, are left out.
    """
    codes, probabilities = encoded(piece)
    weight = np.ones(len(codes)) if piece.weight is None else piece.weight
    if probabilities.ndim == 2 and probabilities.shape[1] == 2:
        probabilities = probabilities[:, 1]
    if probabilities.ndim == 1:
        return codes == 1, probabilities, weight
    flags = codes[:, None] == np.arange(probabilities.shape[1])
    known = flags.any(axis=0) | (probabilities != 0).any(axis=0)
    n_known = known.sum()
    return flags[:, known].ravel(), probabilities[:, known].ravel(), np.repeat(weight, n_known)


class RocAuc(Ranking):
    """Area under the curve of true against false positives."""

    needs = "labels of at least two classes"

    def __init__(self):
        super().__init__("ROC AUC", roc_auc_score)

    def is_defined(self, piece):
        return len(pd.unique(piece.y_true)) > 1

    def of_task(self, piece):
        codes, probabilities = _narrowed(*encoded(piece))
        settings = {"sample_weight": piece.weight}
        if probabilities.ndim == 2:
            settings |= {"multi_class": "ovr", "labels": np.arange(probabilities.shape[1])}
        return float(roc_auc_score(codes, probabilities, **settings))

    @staticmethod
    def _flags_are_enough(flags):
        return flags.any() and not flags.all()


class AveragePrecision(Ranking):
    """Mean precision over the recalls that are reached."""

    needs = "a label of the positive class, or of two classes if there are more than two"

    def __init__(self):
        super().__init__("average precision", average_precision_score)

    def is_defined(self, piece):
        if not len(piece.y_true):
            return False
        codes, probabilities = _narrowed(*encoded(piece))
        return (codes == 1).any() if probabilities.ndim == 1 else probabilities.shape[1] > 1

    def of_task(self, piece):
        codes, probabilities = _narrowed(*encoded(piece))
        if probabilities.ndim == 2:
            codes = codes[:, None] == np.arange(probabilities.shape[1])
        return float(average_precision_score(codes, probabilities, sample_weight=piece.weight))

    @staticmethod
    def _flags_are_enough(flags):
        return flags.any()


class LogLoss(Metric):
    """Mean of minus the logarithm of the probability of the label."""

    content = "probabilities"
    kind = "classification"

    def __init__(self):
        super().__init__("log loss", log_loss)

    def of_task(self, piece):
        codes, probabilities = encoded(piece)
        if probabilities.ndim == 1:
            probabilities = np.column_stack([1 - probabilities, probabilities])
        n_classes = probabilities.shape[1]
        if n_classes == 1:
            return 0.0  # the only class there is has probability 1
        total = probabilities.sum(axis=1, keepdims=True)
        if np.allclose(total, 1, rtol=0, atol=1e-5):
            # single precision is no mistake; scikit-learn warns about anything larger
            probabilities = probabilities / total
        return float(
            log_loss(codes, probabilities, sample_weight=piece.weight, labels=np.arange(n_classes))
        )

    def of_all(self, pieces):
        if not pieces:
            return np.nan
        weights = [
            len(piece.y_true) if piece.weight is None else piece.weight.sum() for piece in pieces
        ]
        return float(np.average([self.of_task(piece) for piece in pieces], weights=weights))
