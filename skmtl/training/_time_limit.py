"""Wall-clock limits of a fit: when alternatives are halved, and when training ends."""

from __future__ import annotations

import time

# shares of the limit that the first run has, if a second one on all rows follows or not, and of the
# first run after which the worse half of the alternatives stops
_FIRST, _ONLY, _HALVINGS = 0.55, 0.9, (0.25, 0.5, 0.75)


class TimeLimit:
    """The seconds that a fit may take from now on, or None."""

    def __init__(self, seconds: float | None) -> None:
        self._start, self.seconds = time.monotonic(), seconds

    def deadlines(self, refit: bool) -> list[float]:
        """Return when the first run halves its alternatives, and last when it ends."""
        if self.seconds is None:
            return []
        whole = (_FIRST if refit else _ONLY) * self.seconds
        return [self._start + share * whole for share in (*_HALVINGS, 1.0)]

    def end(self) -> list[float]:
        """Return when all training ends."""
        return [] if self.seconds is None else [self._start + self.seconds]

    def allows(self, share: float) -> bool:
        """Tell whether a second run of a share of the first one's epochs would end in time."""
        if self.seconds is None:
            return True
        spent = time.monotonic() - self._start
        return spent * (1.0 + share) <= self.seconds
