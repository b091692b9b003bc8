"""What y holds, in long and in wide form: checked and encoded, and back in the caller's labels.

Learned in ``fit``, applied again to validation rows and to predictions.
"""

import copy
import warnings

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from skmtl._data.outcomes import ClassOutcome, NumberOutcome
from skmtl._data.wide import (
    as_labels,
    check_finite,
    check_weight_columns,
    column_kind,
    labels_frame,
    outcome_of,
    read_task_types,
    weights_by_task,
)
from skmtl._sklearn_compat import _check_sample_weight
from skmtl.exceptions import UnlabelledRowsWarning
from skmtl.training import ClassLoss, JointLoss


class Targets:
    """Checks and encodes every y as the one seen first.

    Parameters
    ----------
    kind : {"regression", "classification"}
        What the labels are, where nothing else is said.
    task_id : as in the estimators
        None and several columns of y are wide form.
    loss, quantile : as in the regressors
    class_weight, task_classes : as in the classifiers
    task_types : as in the estimators

    Attributes
    ----------
    wide : bool
        Whether every column of y is a task.
    tasks : Index or None
        In wide form the names of the columns of y.
    outcomes : list
        What each column of y holds, in wide form; in long form one outcome for all of y.
    allowed : ndarray of shape (T, C) of bool, or None
        Classes of each task in long form, if tasks differ in them.
    """

    def __init__(
        self,
        kind,
        task_id,
        *,
        loss="squared_error",
        quantile=0.5,
        class_weight=None,
        task_classes="seen",
        task_types="infer",
    ):
        self.kind, self.task_id = kind, task_id
        self.loss, self.quantile = loss, quantile
        self.class_weight, self.task_classes = class_weight, task_classes
        self.task_types = task_types
        self.wide, self.from_frame, self.tasks, self.allowed = False, False, None, None

    def encode(self, y, sample_weight=None, learn=False):
        """Turn labels into numbers.

        Parameters
        ----------
        y : array-like of shape (n,), (n, o) or (n, T)
        sample_weight : array-like of shape (n,), or (n, T) in wide form, optional
        learn : bool
            Whether to learn what y holds first.

        Returns
        -------
        values : ndarray of shape (n, o) or (n, T)
            NaN where a label is missing, which only wide form allows.
        weights : ndarray of shape (n,) or (n, T)
            With the weights of classes; zero where a label is missing.
        """
        y = as_labels(y)
        if learn:
            several = y.ndim == 2 and (isinstance(y, pd.DataFrame) or y.shape[1] > 1)
            self.wide = self.task_id is None and several
            self.from_frame = self.wide and isinstance(y, pd.DataFrame)
        if self.wide:
            return self._encode_wide(y, sample_weight, learn)
        if learn and not (isinstance(self.task_types, str) and self.task_types == "infer"):
            raise ValueError(
                "task_types says what each column of y holds in wide form (task_id=None and a y of "
                "several columns); here there is one column for all tasks, so leave it at 'infer'."
            )
        encode = self._encode_numbers if self.kind == "regression" else self._encode_classes
        return encode(y, sample_weight, learn)

    def _encode_numbers(self, y, sample_weight, learn):
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        y = y.reshape(len(y), -1)
        if learn:
            self.outcomes = [NumberOutcome(self.loss, self.quantile, y.shape[1])]
        elif y.shape[1] != self.n_outputs:
            raise ValueError(f"y has {y.shape[1]} outputs, but fit saw {self.n_outputs}.")
        weights = _check_weights(sample_weight, y)
        counted = np.flatnonzero(weights > 0)
        for column in y.T:
            self.outcomes[0].check_counts(column[counted], counted, "y")
        return y, weights

    def _encode_classes(self, y, sample_weight, learn):
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(
                f"y has {y.shape[1]} columns; in long form (task_id given) a classifier takes "
                "one column of labels, for all tasks."
            )
        missing = np.flatnonzero(pd.isna(y))
        if len(missing):
            raise ValueError(
                f"Input y contains NaN: {len(missing)} label(s) are missing, the first in row "
                f"{missing[0]}. Leave those rows out; only wide form has missing labels."
            )
        y = column_or_1d(y, warn=True)
        # strings stay what they are
        check_array(y, ensure_2d=False, dtype=None, input_name="y")
        weights = _check_weights(sample_weight, y)
        counted = np.flatnonzero(weights > 0)
        if learn:
            self.outcomes = [ClassOutcome(self.class_weight)]
            self.outcomes[0].learn_classes(y[counted], "y")
        check_classification_targets(y[counted])
        outcome = self.outcomes[0]
        # labels of rows without weight may be anything
        codes = np.zeros(len(y))
        codes[counted] = outcome.encode(pd.Series(y[counted], index=counted), "y")
        weights = weights * outcome.weigh(codes.astype(np.int64), weights, learn)
        if not (weights > 0).any():
            raise ValueError("class_weight leaves no row with a weight above 0.")
        return codes[:, None], weights

    def _encode_wide(self, y, sample_weight, learn):
        frame = labels_frame(y, None if learn else self.tasks, self.from_frame)
        if learn:
            self.tasks = frame.columns
        check_finite(frame)
        labelled = frame.notna().to_numpy()
        if not labelled.any():
            raise ValueError(f"{'y' if learn else 'y_val'} has no label at all.")
        weights = weights_by_task(sample_weight, labelled, self.tasks)
        labelled = weights > 0
        if learn:
            self._learn_wide(frame, labelled)
        values = np.full(frame.shape, np.nan)
        for t, outcome in enumerate(self.outcomes):
            rows = np.flatnonzero(labelled[:, t])
            where = f"the column {self.tasks[t]!r} of y"
            values[rows, t] = outcome.encode(frame.iloc[rows, t].set_axis(rows), where)
            if outcome.classes is not None:
                codes = values[rows, t].astype(np.int64)
                weights[rows, t] *= outcome.weigh(codes, weights[rows, t], learn)
        return values, weights

    def _learn_wide(self, frame, labelled):
        """Learn what every column holds."""
        empty = self.tasks[~labelled.any(axis=0)].tolist()
        if empty:
            raise ValueError(
                f"these columns of y have no label at all: {empty[:20]}. Drop them: there is "
                "nothing to learn a task from."
            )
        unlabelled = int((~labelled.any(axis=1)).sum())
        if unlabelled:
            warnings.warn(
                f"{unlabelled} of {len(frame)} rows have no label of any task; they are not used.",
                UnlabelledRowsWarning,
                stacklevel=7,
            )
        types = read_task_types(self.task_types, self.tasks)
        check_weight_columns(self.class_weight, self.tasks)
        self.outcomes = []
        for t, task in enumerate(self.tasks):
            column = frame.iloc[np.flatnonzero(labelled[:, t]), t]
            kind = types.get(task) or column_kind(column, self.kind)
            self.outcomes.append(outcome_of(kind, column, task, self))
        if self.kind == "classification" and not any(o.classes is not None for o in self.outcomes):
            raise ValueError(
                "Unknown label type: continuous. No column of y holds classes; use a regressor, or "
                "say which do with task_types."
            )

    def learn_task_classes(self, examples, n_tasks):
        """Learn which classes each task has, in long form.

        Parameters
        ----------
        examples : Examples
        n_tasks : int
        """
        classes = self.outcomes[0].classes
        if self.wide or classes is None:
            return
        seen = np.zeros((n_tasks, len(classes)), dtype=bool)
        seen[examples.tasks, examples.targets[:, 0].astype(np.int64)] = True
        # one class would be no problem to solve: such a task learns from the others that it has
        # more, as it does everywhere if all tasks share two classes
        seen[seen.sum(1) < 2] = True
        if self.task_classes == "all":
            seen[:] = True
        self.allowed = seen

    def check_task_classes(self, examples, names):
        """Refuse validation labels that are impossible for their task."""
        if self.allowed is None:
            return
        codes = examples.targets[:, 0].astype(np.int64)
        bad = np.flatnonzero(~self.allowed[examples.tasks, codes])
        if len(bad):
            label = self.outcomes[0].classes[codes[bad[0]]]
            raise ValueError(
                f"y_val has the label {label!r} for the task {names[examples.tasks[bad[0]]]!r}, "
                "which has no such label in y. Drop those rows, or use task_classes='all'."
            )

    def allowed_of(self, tasks):
        """Classes that are possible for each of some tasks, -1 being one never seen: all.

        Returns
        -------
        ndarray of shape (k, C) of bool, or None if all are
        """
        if self.allowed is None or self.allowed.all():
            return None
        return np.where(tasks[:, None] < 0, True, self.allowed[np.maximum(tasks, 0)])

    def joined(self, new):
        """These targets, with the classes of the tasks of `new` behind their own."""
        targets = copy.copy(self)
        if self.allowed is not None:
            targets.allowed = np.concatenate([self.allowed, new.allowed])
        return targets

    def rare(self, examples):
        """One row of every class of every task, which is kept for training.

        Returns
        -------
        ndarray of shape (n,) of bool, or None without classes
        """
        rare = np.zeros(len(examples), dtype=bool)
        for t, outcome in enumerate(self.outcomes):
            if outcome.classes is None:
                continue
            codes = examples.targets[:, t]
            if not self.wide:
                codes = codes + len(outcome.classes) * examples.tasks
            labelled = np.flatnonzero(~np.isnan(codes))
            rare[labelled[np.unique(codes[labelled], return_index=True)[1]]] = True
        return rare if any(o.classes is not None for o in self.outcomes) else None

    @property
    def n_outputs(self):
        """Outputs that a module needs."""
        return max(outcome.n_outputs for outcome in self.outcomes)

    def classes_by_task(self):
        """Classes of each task, in the order of the tasks; None where labels are numbers."""
        if self.allowed is None:
            return [outcome.classes for outcome in self.outcomes]
        return [self.outcomes[0].classes[allowed] for allowed in self.allowed]

    @property
    def multi_label(self):
        """Whether y is what scikit-learn calls multi-label: an array of nothing but 0 and 1."""
        return (
            self.wide
            and not self.from_frame
            and all(o.classes is not None and o.classes.tolist() == [0, 1] for o in self.outcomes)
        )

    def fit_scale(self, examples):
        """Learn the scales of numbers, from training rows only."""
        if not self.wide:
            self.outcomes[0].fit_scale(examples.targets, examples.weights)
            return
        for t, outcome in enumerate(self.outcomes):
            rows = np.flatnonzero(examples.weights[:, t] > 0)
            outcome.fit_scale(examples.targets[rows, t : t + 1], examples.weights[rows, t])

    def scale(self, values):
        """Labels as the network learns them; zero where one is missing."""
        if not self.wide:
            return self.outcomes[0].scale(values)
        columns = [o.scale(values[:, t : t + 1]) for t, o in enumerate(self.outcomes)]
        return np.nan_to_num(np.concatenate(columns, axis=1))

    def criterion(self):
        """Loss for training, over the outputs of a module."""
        if not self.wide:
            if self.allowed is not None and self.outcomes[0].kind == "multiclass":
                return ClassLoss(torch.from_numpy(self.allowed))
            return self.outcomes[0].criterion()
        kinds = [outcome.kind for outcome in self.outcomes]
        losses, blocks = [], []
        for kind in dict.fromkeys(kinds):
            blocks.append([t for t, k in enumerate(kinds) if k == kind])
            first = self.outcomes[blocks[-1][0]]
            losses.append(self._class_loss() if kind == "multiclass" else first.criterion())
        return losses[0] if len(losses) == 1 else JointLoss(losses, blocks)

    def _class_loss(self):
        """Loss of columns with several classes each; rows of the mask for others are not used."""
        sizes = [o.n_outputs if o.kind == "multiclass" else 1 for o in self.outcomes]
        return ClassLoss(torch.arange(max(sizes)) < torch.tensor(sizes).unsqueeze(1))

    def resumed(self, other):
        """The targets of `other`, for a fit that goes on from these: with the scales of these.

        Raises
        ------
        ValueError
            If they hold something else.
        """
        same = self.wide == other.wide and len(self.outcomes) == len(other.outcomes)
        if same:
            pairs = zip(self.outcomes, other.outcomes, strict=True)
            same = all(new.resume(old) for old, new in pairs)
        if not same:
            raise ValueError(
                "warm_start=True continues the previous fit, but y holds other classes, other "
                "kinds of labels or another number of them than then; set warm_start=False to "
                "start afresh."
            )
        if self.allowed is not None:
            # what a task could be before it still can; tasks were compared by the tables
            other.allowed = self.allowed | other.allowed
        return other


def _check_weights(sample_weight, y):
    if sample_weight is None:
        return np.ones(len(y))
    weights = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    if not (weights > 0).any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights.copy()
