"""Notice members whose loss or weights are no longer finite."""

from __future__ import annotations

import torch

from skmtl.exceptions import DivergenceError

# about the largest default of the estimators; larger ones are the likely cause
_USUAL_RATE = 1e-2


class DivergenceCheck:
    """Raise an error for the first member that diverges, or note which members do.

    Parameters
    ----------
    n_members : int
    learning_rate : float or sequence of M floats
        Named by the error.
    drop : bool
        Whether to note members instead of raising an error.

    Attributes
    ----------
    errors : dict of int to DivergenceError
        Of the members that have diverged.
    """

    def __init__(self, n_members, learning_rate, drop):
        self.n_members, self.drop = n_members, drop
        self.learning_rate = torch.as_tensor(learning_rate).reshape(-1)
        self.errors = {}

    def check(self, values, members, epoch):
        """Return which of the members have values that are not finite, None if there are none.

        Parameters
        ----------
        values : Tensor of shape (M',)
        members : sequence of M' ints
            Their numbers.
        epoch : int
        """
        finite = torch.isfinite(values)
        if bool(finite.all()):
            return None
        bad = [member for member, good in zip(members, finite.tolist(), strict=True) if not good]
        if not self.drop:
            raise self._error(bad, epoch)
        for member in bad:
            self.errors.setdefault(member, self._error([member], epoch))
        return ~finite

    def _error(self, members, epoch):
        rates = self.learning_rate
        rate = float(rates[members[0]] if len(rates) > 1 else rates[0])
        return DivergenceError(
            f"training diverged in epoch {epoch}: the loss of member {members[0]} of "
            f"{self.n_members} is not finite. Its learning_rate_init is {rate:g}; try "
            + ("the default of the estimator." if rate > _USUAL_RATE else f"{rate / 100:g}."),
            members,
        )
