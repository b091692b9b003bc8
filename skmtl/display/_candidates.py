"""Choices of IT-MTL over epochs."""

from skmtl.display._axes import Display, check_shows, mark_epochs, member_of


class CandidateChoicesDisplay(Display, draws_with="``bar``"):
    """Share of steps in which IT-MTL chose each candidate, over epochs.

    One bar per epoch, divided among the candidates.

    Parameters
    ----------
    shares : DataFrame of shape (n_epochs, n_candidates)
        Share of the steps of each epoch in which each candidate was chosen.

    {attributes}
    bars_ : list of matplotlib BarContainer
        The bars of each candidate.

    See Also
    --------
    LossAlongStepsDisplay : Losses along the steps of the candidates.

    Examples
    --------
    {cubic_tasks}
    >>> model = MultiTaskRegressor(
    ...     task_id="task", task_weighting="it-mtl", max_iter=5, random_state=0
    ... )
    >>> display = CandidateChoicesDisplay.from_estimator(model.fit(X, cubic.target))
    >>> display.shares.shape
    (5, 4)
    """

    def __init__(self, shares):
        self.shares = shares

    @classmethod
    def from_estimator(cls, estimator, *, member=None, ax=None, **kwargs):
        """Draw the choices of an estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted with ``task_weighting="it-mtl"`` or an ``ITMTL``.
        member : int, optional
            Number of a member; all by default.
        {drawing}
        """
        estimator = check_shows(estimator, "candidate_choices_", "fit an estimator of skmtl")
        chosen = estimator.candidate_choices_["candidate"]
        if member is not None:
            chosen = chosen.xs(member_of(estimator, member), level="member")
        counts = chosen.groupby(level="epoch").value_counts().unstack(fill_value=0)
        counts = counts.reindex(columns=chosen.cat.categories, fill_value=0)
        shares = counts.div(counts.sum(axis=1), axis=0)
        return cls(shares.rename_axis(columns="candidate")).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        self.bars_, below = [], 0.0
        for name, share in self.shares.items():
            options = {"label": str(name), "width": 1.0, "bottom": below, **kwargs}
            self.bars_.append(ax.bar(self.shares.index, share, **options))
            below = below + share
        epochs = self.shares.index
        ax.set(ylabel="share of steps", ylim=(0, 1))
        ax.set_xlim(epochs.min() - 0.5, epochs.max() + 0.5)
        mark_epochs(ax, legend="candidate")
