"""Choices of IT-MTL over epochs."""

from skmtl.display._axes import Display, check_shows, member_of


class CandidateChoicesDisplay(Display):
    """Share of steps in which IT-MTL chose each candidate, over epochs.

    One bar per epoch, divided among the candidates.

    Parameters
    ----------
    shares : DataFrame of shape (n_epochs, n_candidates)
        Share of the steps of each epoch in which each candidate was chosen.

    Attributes
    ----------
    {axes}
    bars_ : list of matplotlib BarContainer
        The bars of each candidate.

    See Also
    --------
    LossAlongStepsDisplay : Losses along the steps of the candidates.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.display import CandidateChoicesDisplay
    >>> cubic = make_cubic(n_tasks=3, n_rows=20, random_state=0)
    >>> X = cubic.data[["task", *cubic.feature_names]]
    >>> model = MultiTaskRegressor(
    ...     task_id="task", task_weighting="it-mtl", max_iter=5, random_state=0
    ... )
    >>> display = CandidateChoicesDisplay.from_estimator(model.fit(X, cubic.target))
    >>> display.shares.shape
    (5, 4)
    """

    _draws_with = "``bar``"

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
        check_shows(estimator, "candidate_choices_", "fit an estimator of skmtl")
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
        ax.set(xlabel="epoch", ylabel="share of steps", ylim=(0, 1))
        ax.set_xlim(epochs.min() - 0.5, epochs.max() + 0.5)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(title="candidate", loc="upper left", bbox_to_anchor=(1.01, 1.0))
