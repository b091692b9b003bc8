"""The contract of the target of one column of y, which holds either numbers or classes."""

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import pandas as pd
import torch

from skmtl._persistence import saveable


@saveable
class ColumnTarget(ABC):
    """Convert the labels of one column to a network's targets, and its outputs back.

    In long form one such target represents all of y, which may then have several numbers per row.
    `kind` is "regression", "binary" or "multiclass", and `classes` of shape (C,) are sorted, None
    for numbers. A network needs `n_outputs`; `loss_unit` is a training loss of 1 in the caller's
    units.
    """

    kind: str
    classes: np.ndarray | None
    n_outputs: int
    loss_unit: float

    @abstractmethod
    def encode(self, column: pd.Series, where: str) -> np.ndarray:
        """Convert labels, indexed by row, to floats of shape (n,); missing ones are NaN.

        Errors name the column `where` and the row.
        """

    @abstractmethod
    def fit_scale(self, values: np.ndarray, weights: np.ndarray) -> None:
        """Learn the scale of encoded labels of shape (n, n_outputs), with weights of shape (n,)."""

    @abstractmethod
    def scale(self, values: np.ndarray) -> np.ndarray:
        """Scale encoded labels for training."""

    @abstractmethod
    def members(self, outputs: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
        """Convert outputs of a network to predictions of every member.

        Outputs have shape (M, k, n), of which only the first `n_outputs` along the last axis are
        read. Predictions of shape (M, k, ...) are numbers in the caller's units, or log
        probabilities of the classes, of which `allowed` of shape (k, C) marks the possible ones of
        each row.
        """

    @abstractmethod
    def outputs_for(self, predictions: np.ndarray) -> np.ndarray:
        """Return outputs of a network (..., n_outputs) that `members` converts to predictions."""

    @staticmethod
    @abstractmethod
    def mean(members: np.ndarray) -> np.ndarray:
        """Average predictions of members, along the first axis."""

    @abstractmethod
    def blended(self, members: np.ndarray, base: np.ndarray, weight: float) -> np.ndarray:
        """Mix predictions of members with those of a base, as (n, ...), of a share `weight`.

        Where the loss has a logarithmic link, logarithms are averaged.
        """

    @abstractmethod
    def criterion(self) -> torch.nn.Module:
        """Return the training loss."""

    @abstractmethod
    def losses(self, predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Compute the training loss of every label, of shape (..., n).

        Predictions are as `members` returns them, labels of shape (n, n_outputs) are encoded.
        """

    @abstractmethod
    def resume(self, previous: Self) -> bool:
        """Take over an earlier scale, or return False if that network cannot learn these labels."""

    @abstractmethod
    def noise(self, losses: torch.Tensor) -> torch.Tensor:
        """Return the strength of a squared penalty that acts as a prior of unit variance.

        Minimising summed losses plus this strength times the squared distance gives the most
        probable value, for errors that the loss assumes: normal, Laplace or Poisson. `losses` are
        means after training.
        """
