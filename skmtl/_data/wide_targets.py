"""Targets in wide form: every column of y is a task, of numbers or of classes."""

import warnings

import numpy as np
import pandas as pd
import torch

from skmtl._data.base_targets import Targets
from skmtl._data.class_target import ClassTarget
from skmtl._data.messages import label_text
from skmtl._data.numeric_target import NumericTarget
from skmtl._data.wide import (
    as_labels,
    check_finite,
    check_weight_columns,
    column_kind,
    labels_frame,
    read_task_types,
    weights_by_task,
)
from skmtl.exceptions import UnlabelledRowsWarning
from skmtl.training import ClassLoss, JointLoss


class WideTargets(Targets):
    """Labels of rows that all tasks share, of which some may be missing; see `Targets`."""

    wide = True

    def _read(self, y, sample_weight):
        """Check y as a DataFrame with the columns of fit, see `Targets`."""
        y = as_labels(y)
        fitting = not self.parts
        if fitting:
            self.from_frame = isinstance(y, pd.DataFrame)
        frame = labels_frame(y, self.tasks, self.from_frame)
        check_finite(frame)
        labelled = frame.notna().to_numpy()
        if not labelled.any():
            raise ValueError(f"{'y' if fitting else 'y_val'} has no label at all.")
        return frame, weights_by_task(sample_weight, labelled, frame.columns)

    def _learn(self, labels, weights):
        """Learn what every column holds."""
        self.tasks = labels.columns
        labelled = weights > 0
        empty = self.tasks[~labelled.any(axis=0)].tolist()
        if empty:
            raise ValueError(
                f"these columns of y have no label at all: {empty[:20]}. Drop them: there is "
                "nothing to learn a task from."
            )
        unlabelled = int((~labelled.any(axis=1)).sum())
        if unlabelled:
            warnings.warn(
                f"{unlabelled} of {len(labels)} rows have no label of any task; they are not used.",
                UnlabelledRowsWarning,
                stacklevel=6,
            )
        types = read_task_types(self.settings.task_types, self.tasks)
        check_weight_columns(self.settings.class_weight, self.tasks)
        self.parts = []
        for t, task in enumerate(self.tasks):
            rows = np.flatnonzero(labelled[:, t])
            column = labels.iloc[rows, t].set_axis(rows)
            kind = types.get(task) or column_kind(column, self.settings.kind)
            self.parts.append(self._fitted_part(kind, column, weights[rows, t]))
        if self.settings.kind == "classification" and all(p.classes is None for p in self.parts):
            raise ValueError(
                "Unknown label type: continuous. No column of y holds classes; use a regressor, or "
                "say which do with task_types."
            )

    def _fitted_part(self, kind, column, weights):
        """Return the target of one column, with its classes and their weights.

        Parameters
        ----------
        kind : one of TASK_TYPES
        column : Series of length n
            Labels, none missing.
        weights : ndarray of shape (n,)
        """
        settings, task = self.settings, column.name
        class_weight = settings.class_weight
        if isinstance(class_weight, dict):
            class_weight = class_weight.get(task)
        if kind == "regression":
            if isinstance(settings.class_weight, dict) and class_weight is not None:
                raise ValueError(
                    f"class_weight names the column {label_text(task)} of y, which has no classes."
                )
            return NumericTarget(settings.loss, settings.quantile)
        part = ClassTarget(class_weight)
        part.fit_classes(column.to_numpy(), _where(task))
        if kind == "binary" and len(part.classes) != 2:
            raise ValueError(
                f"task_types says that the column {label_text(task)} of y is binary, but it has "
                f"{len(part.classes)} classes: {part.classes[:20].tolist()}."
            )
        part.fit_weights(part.encode(column, _where(task)).astype(np.int64), weights)
        return part

    def _encode(self, labels, weights):
        """Encode labels column by column; those without weight become NaN."""
        labelled = weights > 0
        values = np.full(labels.shape, np.nan)
        for t, part in enumerate(self.parts):
            rows = np.flatnonzero(labelled[:, t])
            column = labels.iloc[rows, t].set_axis(rows)
            values[rows, t] = part.encode(column, _where(self.tasks[t]))
            if part.classes is not None:
                weights[rows, t] *= part.weights[values[rows, t].astype(np.int64)]
        return values, weights

    def _learn_rows(self, rows, n_tasks):
        """Learn the scale of every column from its labels."""
        for t, part in enumerate(self.parts):
            labelled = np.flatnonzero(rows.weights[:, t] > 0)
            part.fit_scale(rows.targets[labelled, t : t + 1], rows.weights[labelled, t])

    def _scale(self, values):
        """Scale every column by itself."""
        columns = [part.scale(values[:, t : t + 1]) for t, part in enumerate(self.parts)]
        return np.nan_to_num(np.concatenate(columns, axis=1))

    def _criterion(self):
        """Return one loss for each kind of task."""
        kinds = [part.kind for part in self.parts]
        losses, blocks = [], []
        for kind in dict.fromkeys(kinds):
            blocks.append([t for t, k in enumerate(kinds) if k == kind])
            first = self.parts[blocks[-1][0]]
            losses.append(self._class_loss() if kind == "multiclass" else first.criterion())
        return losses[0] if len(losses) == 1 else JointLoss(losses, blocks)

    def _class_loss(self):
        """Return the loss of all tasks of several classes; other rows of its mask are unused."""
        sizes = [part.n_outputs if part.kind == "multiclass" else 1 for part in self.parts]
        return ClassLoss(torch.arange(max(sizes)) < torch.tensor(sizes).unsqueeze(1))

    def _codes(self, rows, k):
        return rows.targets[:, k]

    @property
    def multi_label(self):
        """Whether y is an array of 0 and 1 only."""
        return not self.from_frame and all(
            part.classes is not None and part.classes.tolist() == [0, 1] for part in self.parts
        )


def _where(task):
    """Name a column in error messages."""
    return f"the column {label_text(task)} of y"
