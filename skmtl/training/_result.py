"""What one run of the training loop leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from skorch.callbacks import Callback
from torch import Tensor

from skmtl.exceptions import DivergenceError
from skmtl.nn import MemberModule
from skmtl.training._steps import StepRecords
from skmtl.weighting._base import select


@dataclass(kw_only=True)
class TrainingResult(StepRecords):
    """A trained module, and what was recorded.

    The `module` has `n_members` and `n_tasks`, the best weights of every member, of `best_epoch`
    (M,), and was trained on `device`. `records` are columns of members, epochs, and training and
    validation losses. `affinity` (n_epochs, M, T, T) is what the observer has seen; `diverged` are
    members that were dropped, by number. `callbacks` are the caller's, and `history` lists means
    over members, epoch by epoch, and what callbacks have added. `held_out`, if asked for, is what
    each member predicts for its validation rows, by part of the targets.
    """

    module: MemberModule
    device: str
    n_members: int
    n_tasks: int
    records: dict[str, np.ndarray]
    best_epoch: Tensor
    affinity: np.ndarray | None = None
    diverged: dict[int, DivergenceError] = field(default_factory=dict)
    callbacks: list[Callback] = field(default_factory=list)
    history: list[dict] = field(default_factory=list)
    held_out: list[list[np.ndarray] | None] = field(default_factory=list)

    @property
    def observed(self) -> list[dict]:
        """The history, if it is that of one member; otherwise empty."""
        return self.history if self.n_members == 1 else []

    def part(
        self, members: Sequence[int], n_tasks: int, level_sizes: tuple[int, ...] = ()
    ) -> TrainingResult:
        """Return the result, with a copy of the module, of members (ascending) and their tasks.

        With several levels of ids, the module keeps the first `level_sizes` of each.
        """
        chosen = list(members)
        module = self.module.part(chosen)
        module.keep_tasks(level_sizes or n_tasks)
        weights, scales, affinity = self.task_weights, self.loss_scales, self.affinity
        if weights is not None:
            weights = weights[_rows_of(self.records, chosen)][:, :n_tasks]
        choices, candidates = self._choices_of(chosen, n_tasks)
        return TrainingResult(
            module=module,
            device=self.device,
            n_members=len(chosen),
            n_tasks=n_tasks,
            records=_renumbered(self.records, chosen),
            best_epoch=self.best_epoch[chosen],
            affinity=None if affinity is None else affinity[:, chosen, :n_tasks, :n_tasks],
            diverged={n: self.diverged[m] for n, m in enumerate(chosen) if m in self.diverged},
            callbacks=self.callbacks,
            history=self.observed,
            held_out=[self.held_out[m] for m in chosen] if self.held_out else [],
            task_weights=weights,
            weighting_state=select(self.weighting_state, chosen, n_tasks),
            choices=choices,
            candidates=candidates,
            loss_scales=None if scales is None else scales[chosen, :n_tasks],
        )

    def _choices_of(self, members, n_tasks):
        """Return the choices of some members, and the candidates that they could choose from."""
        if self.choices is None:
            return None, None
        choices = _renumbered(self.choices, members)
        known = [n for n, c in enumerate(self.candidates) if c.task is None or c.task < n_tasks]
        choices["transference"] = choices["transference"][:, known]
        choices["choice"] = np.searchsorted(known, choices["choice"])
        return choices, [self.candidates[n] for n in known]


def _rows_of(records, members):
    return np.isin(records["member"], members)


def _renumbered(records, members):
    """Return the rows of some members, which are numbered from 0."""
    rows = _rows_of(records, members)
    records = {name: values[rows] for name, values in records.items()}
    return {**records, "member": np.searchsorted(members, records["member"])}
