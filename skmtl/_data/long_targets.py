"""Targets in long form: one or several numbers, or one class, for the task of each row."""

import copy

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from skmtl._data.base_targets import Targets
from skmtl._data.class_target import ClassTarget
from skmtl._data.messages import label_text
from skmtl._data.numeric_target import NumericTarget
from skmtl._data.scales import refuse_extreme_weights
from skmtl._data.wide import as_labels
from skmtl._sklearn_compat import _check_sample_weight
from skmtl.training import ClassLoss

# what pandas calls them
_DATES = dict.fromkeys(("datetime", "datetime64", "date", "period"), "dates")
_DATES |= dict.fromkeys(("timedelta", "timedelta64"), "durations")


class LongTargets(Targets):
    """Labels of rows that belong to one task each; `allowed` (T, C) marks the classes of tasks."""

    wide = False

    def __init__(self, settings):
        super().__init__(settings)
        self.allowed = None

    def _read(self, y, sample_weight):
        """Check y as one array, see `Targets`."""
        y = as_labels(y)
        labels = _read_numbers(y) if self.settings.kind == "regression" else _read_classes(y)
        return labels, _check_weights(sample_weight, labels)

    def _learn(self, labels, weights):
        """Learn the number of outputs, or the classes and their weights."""
        settings = self.settings
        if not (isinstance(settings.task_types, str) and settings.task_types == "infer"):
            raise ValueError(
                "task_types says what each column of y holds in wide form (task_id=None and a y of "
                "several columns); here there is one column for all tasks, so leave it at 'infer'."
            )
        if isinstance(settings.loss, dict):
            raise ValueError(
                "a dict of losses is for the columns of y in wide form (task_id=None and a y of "
                "several columns); here there is one for all tasks, such as loss='poisson'."
            )
        if settings.kind == "regression":
            part = NumericTarget(settings.loss, settings.quantile, labels.shape[1])
        else:
            weighted = np.flatnonzero(weights > 0)
            part = ClassTarget(settings.class_weight)
            part.fit_classes(labels[weighted], "y")
            codes = _class_numbers(part, labels, weighted)
            part.fit_weights(codes[weighted].astype(np.int64), weights[weighted])
        self.parts = [part]

    def _encode(self, labels, weights):
        """Encode labels; those of rows without weight are not looked at."""
        (part,) = self.parts
        weighted = np.flatnonzero(weights > 0)
        if part.classes is None:
            if labels.shape[1] != part.n_outputs:
                raise ValueError(f"y has {labels.shape[1]} outputs, but fit saw {part.n_outputs}.")
            for column in labels.T:
                part.check_counts(column[weighted], weighted, "y")
            return labels, weights
        codes = _class_numbers(part, labels, weighted)
        weights = weights * part.weights[codes.astype(np.int64)]
        if not (weights > 0).any():
            raise ValueError("class_weight leaves no row with a weight above 0.")
        return codes[:, None], weights

    def _learn_rows(self, rows, n_tasks):
        """Learn the scale of numbers, or the classes of each task."""
        self.parts[0].fit_scale(rows.targets, rows.weights)
        self._learn_task_classes(rows, n_tasks)

    def _learn_task_classes(self, rows, n_tasks):
        classes = self.parts[0].classes
        if classes is None:
            return
        if n_tasks is None:
            self.allowed = np.ones((1, len(classes)), dtype=bool)
            return
        seen = np.zeros((n_tasks, len(classes)), dtype=bool)
        seen[rows.tasks, rows.targets[:, 0].astype(np.int64)] = True
        # nothing can be learned from one class only: such a task may have all classes, so that it
        # is predicted like the others
        seen[seen.sum(1) < 2] = True
        if self.settings.task_classes == "all":
            seen[:] = True
        self.allowed = seen

    def _scale(self, values):
        """Scale the labels of all tasks alike."""
        return self.parts[0].scale(values)

    def _criterion(self):
        """Return the loss of all tasks, which may have different classes."""
        if self.parts[0].kind == "multiclass":
            return ClassLoss(torch.from_numpy(self.allowed))
        return self.parts[0].criterion()

    def check_rows(self, rows, tasks, what="y_val"):
        super().check_rows(rows, tasks, what)
        if self.allowed is None or self.allowed.all():
            return
        # new tasks, numbered after the others, may have all classes
        known = rows.take(np.flatnonzero(rows.tasks < len(tasks)))
        codes = known.targets[:, 0].astype(np.int64)
        bad = np.flatnonzero(~self.allowed[known.tasks, codes])
        if len(bad):
            (label,) = self.parts[0].classes[codes[bad[:1]]].tolist()
            raise ValueError(
                f"{what} has the label {label!r} for the task "
                f"{label_text(tasks[known.tasks[bad[0]]])}, which had no such label in fit. "
                "Drop those rows, or use task_classes='all'."
            )

    def resumed(self, new):
        new = super().resumed(new)
        if self.allowed is not None:
            # tasks keep the classes that they had; the tasks themselves are the same
            new.allowed = self.allowed | new.allowed
        return new

    def for_new_tasks(self, rows, n_tasks):
        """Return targets of other tasks, whose rows are numbered from 0, with the same scales."""
        self._check_rows_fitted()
        targets = copy.copy(self)
        targets._learn_task_classes(rows, n_tasks)
        return targets

    def joined(self, new):
        """Return these targets with the tasks of `new` appended."""
        targets = copy.copy(self)
        if self.allowed is not None:
            targets.allowed = np.concatenate([self.allowed, new.allowed])
        return targets

    def _codes(self, rows, k):
        return rows.targets[:, 0] + len(self.parts[0].classes) * rows.tasks

    def allowed_classes(self, tasks):
        if self.allowed is None or self.allowed.all():
            return None
        return np.where(tasks[:, None] < 0, True, self.allowed[np.maximum(tasks, 0)])

    def classes_by_task(self):
        if self.allowed is None:
            return super().classes_by_task()
        return [self.parts[0].classes[allowed] for allowed in self.allowed]


def _read_numbers(y):
    """Return y as an array of shape (n, o)."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    values = np.asarray(y)
    content = _DATES.get(pd.api.types.infer_dtype(values.ravel(), skipna=True))
    if content:
        raise TypeError(
            f"y holds {content}; a regressor needs numbers, such as "
            "(y - y.min()).dt.total_seconds()."
        )
    if values.dtype.kind in "OUS" and any(isinstance(label, (str, bytes)) for label in values.flat):
        raise ValueError(
            "Unknown label type: y of a regressor holds words, such as "
            f"{next(str(v) for v in values.flat if isinstance(v, (str, bytes)))!r}. Use the "
            "classifier of the same name, or convert y with pd.to_numeric."
        )
    _refuse_missing(values)
    try:
        infinite = np.isinf(values.astype(np.float64)).reshape(len(values), -1).any(1)
    except OverflowError as error:
        raise ValueError(f"y holds an integer that is too large for a float: {error}.") from error
    infinite = np.flatnonzero(infinite)
    if len(infinite):
        raise ValueError(
            f"Input y contains infinity or a value too large, the first in row {infinite[0]}; "
            "correct it, or leave the row out."
        )
    y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    return y.reshape(len(y), -1)


def _refuse_missing(y):
    """Refuse missing labels, naming their rows."""
    missing = pd.isna(y)
    missing = np.flatnonzero(missing.any(axis=1) if missing.ndim == 2 else missing)
    if len(missing):
        rows = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
        raise ValueError(
            f"Input y contains NaN: {len(missing)} label(s) are missing, in the row(s) {rows}. "
            "Leave these rows out (y.notna() tells the others); only wide form has missing labels."
        )


def _read_classes(y):
    """Return y as an array of shape (n,); strings stay strings."""
    if y.ndim == 2 and y.shape[1] > 1:
        raise ValueError(
            f"y has {y.shape[1]} columns; in long form (task_id given) a classifier takes "
            "one column of labels, for all tasks."
        )
    _refuse_missing(y)
    y = column_or_1d(y, warn=True)
    check_array(y, ensure_2d=False, dtype=None, input_name="y")
    return y


def _class_numbers(part, labels, weighted):
    """Return class numbers of shape (n,), zero for rows without weight."""
    check_classification_targets(labels[weighted])
    codes = np.zeros(len(labels))
    codes[weighted] = part.encode(pd.Series(labels[weighted], index=weighted), "y")
    return codes


def _check_weights(sample_weight, y):
    """Return weights of shape (n,), of which some are positive."""
    if sample_weight is None:
        return np.ones(len(y))
    weights = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    if not (weights > 0).any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    refuse_extreme_weights(weights)
    return weights.copy()
