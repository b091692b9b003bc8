"""The contract of targets in long and wide form: labels in, numbers for training out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from sklearn.exceptions import NotFittedError

from skmtl._data.column_target import ColumnTarget
from skmtl._data.rows import TrainingRows
from skmtl._persistence import saveable


@dataclass(frozen=True)
@saveable
class TargetSettings:
    """Parameters of an estimator that describe y.

    The type of a column is that in `task_types`; otherwise that in `inferred`, a dict by column if
    y is a part of a larger table; otherwise the default for `kind`, "regression" or
    "classification".
    """

    kind: str
    loss: str | dict = "squared_error"
    quantile: float = 0.5
    class_weight: Any = None
    task_classes: str = "seen"
    task_types: Any = "infer"
    inferred: dict | None = None


@saveable
class Targets(ABC):
    """Encode the labels of all rows, and scale those of training rows.

    `fit_transform` learns the labels that occur in y; `fit_rows` learns scales and the classes of
    each task from training rows, after validation rows have been held out. Methods that need one of
    these raise an error before it. In wide form (`wide`) every column of y is a task, with a name
    in `tasks` and a target in `parts`; in long form there is one part for all of y. Predictions are
    a DataFrame if `from_frame`.
    """

    wide: ClassVar[bool]

    def __init__(self, settings: TargetSettings) -> None:
        self.settings = settings
        self.tasks: pd.Index | None = None
        self.from_frame = False
        self.parts: list[ColumnTarget] = []
        self._rows_fitted = False

    # the first step: all of y

    def fit(self, y: Any, sample_weight: Any = None) -> Self:
        """Learn the labels, see `fit_transform`."""
        self.fit_transform(y, sample_weight)
        return self

    def fit_transform(self, y: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Learn the labels in y of shape (n,), (n, o) or (n, T), and encode them.

        Returns values of shape (n, o) or (n, T), NaN where one is missing (in wide form only), and
        sample times class weights of shape (n,) or (n, T), zero where a label is missing.
        """
        self.tasks, self.parts, self._rows_fitted = None, [], False
        labels, weights = self._read(y, sample_weight)
        self._learn(labels, weights)
        return self._encode(labels, weights)

    def transform(self, y: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Encode other labels, see `fit_transform`."""
        self._check_fitted()
        return self._encode(*self._read(y, sample_weight))

    @abstractmethod
    def _read(self, y: Any, sample_weight: Any) -> tuple[Any, np.ndarray]:
        """Check labels and weights as far as possible without knowing the labels of fit."""

    @abstractmethod
    def _learn(self, labels: Any, weights: np.ndarray) -> None:
        """Set `parts` and the other attributes that describe y."""

    @abstractmethod
    def _encode(self, labels: Any, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Encode labels that `_read` has checked."""

    # the second step: training rows

    def fit_rows(self, rows: TrainingRows, n_tasks: int | None) -> Self:
        """Learn scales and the classes of each task; with None all tasks may have all classes.

        `rows` exclude validation rows, but include those that `rows_to_keep` marks.
        """
        self._check_fitted()
        self._learn_rows(rows, n_tasks)
        self._rows_fitted = True
        return self

    @abstractmethod
    def _learn_rows(self, rows: TrainingRows, n_tasks: int | None) -> None:
        """Fit the scales of `parts`, and learn the classes of each task."""

    def scale(self, values: np.ndarray) -> np.ndarray:
        """Scale encoded labels for training; missing ones become zero."""
        self._check_rows_fitted()
        return self._scale(values)

    @abstractmethod
    def _scale(self, values: np.ndarray) -> np.ndarray:
        """Scale encoded labels."""

    def criterion(self) -> torch.nn.Module:
        """Return the training loss of the outputs of a module."""
        self._check_rows_fitted()
        return self._criterion()

    @abstractmethod
    def _criterion(self) -> torch.nn.Module:
        """Return the training loss."""

    def check_rows(self, rows: TrainingRows, tasks: pd.Index, what: str = "y_val") -> None:
        """Raise an error for rows that have labels that are impossible for their task.

        The error names the task by its label in `tasks`, and the labels `what`.
        """
        self._check_rows_fitted()

    def resumed(self, new: Self) -> Self:
        """Return new targets for a fit that continues the fit of these, with the same scales.

        Different classes, or a different kind or number of labels, raise an error.
        """
        same = type(self) is type(new) and len(self.parts) == len(new.parts)
        if same:
            pairs = zip(self.parts, new.parts, strict=True)
            same = all(part.resume(previous) for previous, part in pairs)
        if not same:
            raise ValueError(
                "warm_start=True continues the previous fit, but y holds other classes, other "
                "kinds of labels or another number of them than then; set warm_start=False to "
                "start afresh."
            )
        return new

    # queries

    def rows_to_keep(self, rows: TrainingRows) -> np.ndarray | None:
        """Mark one row of every class of every task, which are never used for validation.

        Returns bools of shape (n,), or None without classes.
        """
        self._check_fitted()
        if all(part.classes is None for part in self.parts):
            return None
        keep = np.zeros(len(rows), dtype=bool)
        for k, part in enumerate(self.parts):
            if part.classes is not None:
                codes = self._codes(rows, k)
                labelled = np.flatnonzero(~np.isnan(codes))
                keep[labelled[np.unique(codes[labelled], return_index=True)[1]]] = True
        return keep

    @abstractmethod
    def _codes(self, rows: TrainingRows, k: int) -> np.ndarray:
        """Number the pairs of task and class that `parts[k]` has in the rows."""

    def allowed_classes(self, tasks: np.ndarray) -> np.ndarray | None:
        """Return the possible classes of tasks, given by index; all for an unseen task, -1.

        Returns bools of shape (k, C), or None if all classes are possible for all tasks.
        """
        return None

    def classes_by_task(self) -> list[np.ndarray | None]:
        """Return the classes of each task; None where labels are numbers."""
        return [part.classes for part in self.parts]

    @property
    def n_outputs(self) -> int:
        """Number of outputs that a module needs."""
        return max(part.n_outputs for part in self.parts)

    @property
    def multi_label(self) -> bool:
        """Whether y has several columns of 0 and 1 only, which scikit-learn calls multi-label."""
        return False

    def _check_fitted(self) -> None:
        if not self.parts:
            raise NotFittedError(f"call fit or fit_transform of {type(self).__name__} first.")

    def _check_rows_fitted(self) -> None:
        if not self._rows_fitted:
            raise NotFittedError(
                f"call fit_rows of {type(self).__name__} first, with the training rows."
            )
