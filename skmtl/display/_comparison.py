"""Errors of several methods, with their standard errors, as dots."""

import numpy as np

from skmtl.display._axes import Display, axes_for

_MARKERS = {"known": "o", "new": "s"}
_KINDS = {"known": "new rows of known tasks", "new": "new tasks"}


class ComparisonDisplay(Display, draws_with="``errorbar``"):
    """Errors of several methods, for known and for new tasks.

    Each dot is the mean over the folds of cross-validation, with one standard error; the best
    method for known tasks is at the top.

    Parameters
    ----------
    table : DataFrame
        What :func:`skmtl.compare` returns.

    {attributes}
    dots_ : list of matplotlib ErrorbarContainer
        The dots for known tasks, and for new ones if there are some.

    See Also
    --------
    skmtl.compare : Compute the table.

    Examples
    --------
    >>> import skmtl
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.display import ComparisonDisplay
    >>> cubic = make_cubic(n_tasks=6, n_rows=20, random_state=0)
    >>> model = skmtl.MultiTaskHypernetRegressor(
    ...     cubic.task_id, cubic.metadata, max_iter=20, random_state=0
    ... )
    >>> table = skmtl.compare(model, cubic.data, cubic.target, cv=2, rivals=["linear, both"])
    >>> display = ComparisonDisplay(table)
    >>> display.table.shape
    (2, 5)
    """

    def __init__(self, table):
        self.table = table

    def plot(self, ax=None, **kwargs):
        """Draw the display.

        Parameters
        ----------
        {drawing}
        """
        ax = axes_for(self, ax, figsize=(7, 1.4 + 0.36 * len(self.table)))
        kinds = [kind for kind in _KINDS if kind in self.table]
        positions = np.arange(len(self.table))
        self.dots_ = []
        for number, kind in enumerate(kinds):
            drawn = ax.errorbar(
                self.table[kind],
                positions + 0.16 * (number - (len(kinds) - 1) / 2),
                xerr=self.table[f"{kind}_error"],
                **{"fmt": _MARKERS[kind], "capsize": 2, "label": _KINDS[kind], **kwargs},
            )
            self.dots_.append(drawn)
        ax.set_yticks(positions, self.table.index)
        ax.invert_yaxis()
        ax.grid(axis="x", alpha=0.3)
        ax.set(xlabel="error, the smaller the better")
        # below the label of the axis, half an inch down
        below = -0.5 / (0.36 * len(self.table) + 0.4)
        ax.legend(loc="upper center", bbox_to_anchor=(0.4, below), ncols=len(kinds), frameon=False)
        return self
