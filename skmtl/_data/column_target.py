"""The contract of the target of one column of y, which holds either numbers or classes."""

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import pandas as pd
import torch


class ColumnTarget(ABC):
    """Converts the labels of one column to what a network learns, and its outputs back.

    In long form one such target stands for all of y, which may then have several numbers a row.

    Attributes
    ----------
    kind : {"regression", "binary", "multiclass"}
    classes : ndarray of shape (C,) or None
        Sorted classes; None for numbers.
    n_outputs : int
        Number of outputs that a network needs for it.
    loss_unit : float
        A training loss of 1 in the caller's units.
    """

    kind: str
    classes: np.ndarray | None
    n_outputs: int
    loss_unit: float

    @abstractmethod
    def encode(self, column: pd.Series, where: str) -> np.ndarray:
        """Convert labels to float numbers; missing ones are NaN.

        Parameters
        ----------
        column : Series of length n
            Labels, indexed by the number of their row.
        where : str
            Name of the column in error messages.

        Returns
        -------
        ndarray of shape (n,)
        """

    @abstractmethod
    def fit_scale(self, values: np.ndarray, weights: np.ndarray) -> None:
        """Learn the scale of encoded labels.

        Parameters
        ----------
        values : ndarray of shape (n, n_outputs)
        weights : ndarray of shape (n,)
        """

    @abstractmethod
    def scale(self, values: np.ndarray) -> np.ndarray:
        """Scale encoded labels for training."""

    @abstractmethod
    def members(self, outputs: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
        """Convert outputs of a network to predictions of every member.

        Parameters
        ----------
        outputs : ndarray of shape (M, k, n)
            Only the first `n_outputs` along the last axis are read.
        allowed : ndarray of shape (k, C) of bool, optional
            Possible classes of each row.

        Returns
        -------
        ndarray of shape (M, k, ...)
            Numbers in the caller's units, or log probabilities of the classes.
        """

    @staticmethod
    @abstractmethod
    def mean(members: np.ndarray) -> np.ndarray:
        """Average predictions of members, along the first axis."""

    @abstractmethod
    def criterion(self) -> torch.nn.Module:
        """Return the training loss."""

    @abstractmethod
    def losses(self, predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Compute the training loss of every label.

        Parameters
        ----------
        predicted : ndarray of shape (..., n, n_outputs or C)
            As `members` returns them.
        labels : ndarray of shape (n, n_outputs)
            Encoded labels.

        Returns
        -------
        ndarray of shape (..., n)
        """

    @abstractmethod
    def resume(self, previous: Self) -> bool:
        """Take over the scale of the target of an earlier fit.

        Returns
        -------
        bool
            False if its network cannot be trained further on these labels.
        """

    @abstractmethod
    def noise(self, losses: torch.Tensor) -> torch.Tensor:
        """Return the strength of a squared penalty that acts as a prior of unit variance.

        Minimising summed losses plus this strength times the squared distance gives the most
        probable value, for errors that the loss assumes: normal, Laplace or Poisson.

        Parameters
        ----------
        losses : Tensor
            Mean losses after training.
        """
