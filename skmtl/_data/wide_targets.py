"""Targets in wide form: every column of y is a task, of numbers or of classes."""

import warnings

import numpy as np
import pandas as pd
import torch

from skmtl._data.base_targets import Targets
from skmtl._data.class_target import ClassTarget, is_zero_one
from skmtl._data.messages import label_text
from skmtl._data.numeric_target import NumericTarget
from skmtl._data.wide import (
    as_labels,
    check_finite,
    check_weight_columns,
    column_kind,
    labels_frame,
    read_losses,
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
        settings = self.settings
        losses, named = read_losses(settings.loss, self.tasks)
        given = read_task_types(settings.task_types, self.tasks)
        types = (settings.inferred or {}) | named | given
        check_weight_columns(settings.class_weight, self.tasks)
        rows = [np.flatnonzero(column) for column in labelled.T]
        columns = [labels.iloc[r, t].set_axis(r) for t, r in enumerate(rows)]
        kinds = [
            types.get(task) or column_kind(column, settings.kind)
            for task, column in zip(self.tasks, columns, strict=True)
        ]
        wrong = [t for t, kind in zip(self.tasks, kinds, strict=True) if kind != "regression"]
        wrong = [task for task in wrong if task in named]
        if wrong:
            raise ValueError(f"loss names {wrong}, which are classes according to task_types.")
        several = len(kinds) > 1 and not {"regression", "multiclass"} & set(kinds)
        if several and all(is_zero_one(column.unique()) for column in columns):
            # multi-label: a column has two classes, even if one of them is not among the rows
            kinds = ["binary"] * len(kinds)
        self.parts = [
            self._fitted_part(kind, column, weights[r, t], losses[column.name])
            for t, (kind, column, r) in enumerate(zip(kinds, columns, rows, strict=True))
        ]
        if self.settings.kind == "classification" and all(p.classes is None for p in self.parts):
            raise ValueError(
                "Unknown label type: continuous. No column of y holds classes; use a regressor, or "
                "say which do with task_types."
            )

    def _fitted_part(self, kind, column, weights, loss):
        """Return the target of one column, without missing labels, with its classes and weights."""
        settings, task = self.settings, column.name
        class_weight = settings.class_weight
        if isinstance(class_weight, dict):
            class_weight = class_weight.get(task)
        if kind == "regression":
            if isinstance(settings.class_weight, dict) and class_weight is not None:
                raise ValueError(
                    f"class_weight names the column {label_text(task)} of y, which has no classes."
                )
            return NumericTarget(loss, settings.quantile)
        part = ClassTarget(class_weight, binary=kind == "binary")
        part.fit_classes(column.to_numpy(), _where(task))
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
        """Return one loss for each kind of task, and for each of the losses of numbers."""
        kinds = [(part.kind, getattr(part, "loss", None)) for part in self.parts]
        losses, blocks = [], []
        for kind in dict.fromkeys(kinds):
            blocks.append([t for t, k in enumerate(kinds) if k == kind])
            first = self.parts[blocks[-1][0]]
            losses.append(self._class_loss() if kind[0] == "multiclass" else first.criterion())
        return losses[0] if len(losses) == 1 else JointLoss(losses, blocks)

    def _class_loss(self):
        """Return the loss of all tasks of several classes; other rows of its mask are unused."""
        sizes = [part.n_outputs if part.kind == "multiclass" else 1 for part in self.parts]
        return ClassLoss(torch.arange(max(sizes)) < torch.tensor(sizes).unsqueeze(1))

    def _codes(self, rows, k):
        return rows.targets[:, k]

    @property
    def multi_label(self):
        """Whether y has several columns, of 0 and 1 only."""
        return len(self.parts) > 1 and all(
            part.classes is not None and part.classes.tolist() == [0, 1] for part in self.parts
        )


def _where(task):
    """Name a column in error messages."""
    return f"the column {label_text(task)} of y"
