"""Settings of the training loop: the optimiser, and when members stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skmtl.training._optimizer import MemberAdam
from skmtl.training._sgd import MemberSGD

_SOLVERS = {"adam": MemberAdam, "sgd": MemberSGD}


@dataclass(frozen=True)
class OptimizerSettings:
    """How parameters are updated; a sequence has a number for every member.

    Attributes
    ----------
    learning_rate, weight_decay, averaging, clip_norm : float or sequence of M floats
        As `MemberAdam` takes them.
    solver : {"adam", "sgd"}
        The optimiser.
    momentum : float
        Of ``solver="sgd"``.
    """

    learning_rate: float | Sequence[float] = 1e-3
    weight_decay: float | Sequence[float] = 0.0
    averaging: float | Sequence[float] = 0.0
    clip_norm: float | Sequence[float] | None = None
    solver: str = "adam"
    momentum: float = 0.0

    @property
    def optimizer(self) -> type[MemberAdam]:
        """The class of the optimiser."""
        return _SOLVERS[self.solver]

    def arguments(self) -> dict:
        """Return the arguments of the optimiser besides the module."""
        arguments = {
            "lr": self.learning_rate,
            "weight_decay": self.weight_decay,
            "averaging": self.averaging,
            "clip_norm": self.clip_norm,
        }
        return arguments | ({"momentum": self.momentum} if self.solver == "sgd" else {})


@dataclass(frozen=True)
class StoppingSettings:
    """When a member stops, besides the last epoch of the loop.

    Attributes
    ----------
    patience : int
        Epochs without improvement after which it stops, if there are validation rows.
    tol : float
        Smallest fall of the validation loss that counts as an improvement.
    last_epochs : sequence of M ints, optional
        Epochs after which each member stops at the latest. Schedules depend on the last epoch of
        the loop, not on these.
    """

    patience: int = 10
    tol: float = 0.0
    last_epochs: Sequence[int] | None = None
