"""How training went: losses of every member, epoch by epoch."""

from sklearn.utils.validation import check_is_fitted

from skmtl.display._axes import axes_for, member_of

_STYLES = {"train_loss": ("training", "--"), "valid_loss": ("validation", "-")}


class LearningCurvesDisplay:
    """Training and validation loss over the epochs, a colour for each member.

    A dot marks the epoch of least validation loss, whose weights are kept.

    Parameters
    ----------
    history : DataFrame
        With the columns "member", "epoch", "train_loss" and perhaps "valid_loss", as the
        attribute ``history_`` of an estimator.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        The curves, for each member training before validation.

    See Also
    --------
    PerTaskScoreDisplay : What came of it, task by task.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.display import LearningCurvesDisplay
    >>> cubic = make_cubic(n_tasks=5, n_rows=10, random_state=0)
    >>> model = MultiTaskHypernetRegressor(task_id="task", n_members=2, max_iter=5)
    >>> model = model.fit(cubic.data[["x", "task"]], cubic.target)
    >>> display = LearningCurvesDisplay.from_estimator(model)
    >>> len(display.lines_)
    4
    """

    def __init__(self, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, member=None, ax=None, **kwargs):
        """Show how an estimator was trained.

        Parameters
        ----------
        estimator : estimator
            Fitted, one of this package.
        member : int, optional
            Which of its members; all by default.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed on to ``plot`` of the axes.

        Returns
        -------
        LearningCurvesDisplay
            Drawn.
        """
        check_is_fitted(estimator, "history_")
        history = estimator.history_
        if member is not None:
            history = history[history["member"] == member_of(estimator, member)]
        return cls(history).plot(ax=ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed on to ``plot`` of the axes.

        Returns
        -------
        LearningCurvesDisplay
            Drawn.
        """
        ax = axes_for(self, ax)
        self.lines_ = []
        members = self.history["member"].unique()
        for place, member in enumerate(members):
            rows = self.history[self.history["member"] == member]
            for column, (name, style) in _STYLES.items():
                if column not in rows or rows[column].isna().all():
                    continue
                # one member alone needs no colours to be told from others
                label = name if len(members) == 1 else f"member {member}, {name}"
                options = {"label": label, "linestyle": style, "color": f"C{place % 10}"}
                self.lines_ += ax.plot(rows["epoch"], rows[column], **{**options, **kwargs})
                if column == "valid_loss":
                    best = rows.loc[rows[column].idxmin()]
                    ax.plot(best["epoch"], best[column], "o", color=self.lines_[-1].get_color())
        ax.set(xlabel="epoch", ylabel="loss")
        if len(self.lines_) <= 12:
            ax.legend()
        return self
