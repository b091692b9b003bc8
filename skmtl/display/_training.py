"""Learning curves: losses of each member, epoch by epoch."""

from sklearn.utils.validation import check_is_fitted

from skmtl.callbacks import TaskLossRecorder
from skmtl.display._axes import Display, draw_curves, member_of

_STYLES = {"train_loss": ("training", "--"), "valid_loss": ("validation", "-")}


class LearningCurvesDisplay(Display):
    """Training and validation loss over epochs, in one colour per member or task.

    A dot marks the epoch with the lowest validation loss, whose weights are kept.

    Parameters
    ----------
    history : DataFrame
        The attribute ``history_`` of an estimator, or a table with its columns "member", "epoch",
        "train_loss" and possibly "valid_loss".
    task_losses : DataFrame or None, default=None
        Loss of each task: one row per member and epoch, one column per task. If given, the mean
        over members is drawn for each task, instead of the losses in `history`.

    {attributes}
    lines_ : list of matplotlib Line2D
        The curves; for each member, training comes before validation.

    See Also
    --------
    PerTaskScoreDisplay : Scores of two models, task by task.
    skmtl.callbacks.TaskLossRecorder : Record the losses of tasks.

    Examples
    --------
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

    def __init__(self, history, task_losses=None):
        self.history, self.task_losses = history, task_losses

    @classmethod
    def from_estimator(cls, estimator, *, by_task=False, member=None, ax=None, **kwargs):
        """Draw the learning curves of an estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator of this package.
        by_task : bool, default=False
            Whether to draw a curve for each task; needs a
            :class:`~skmtl.callbacks.TaskLossRecorder` among the ``callbacks`` of the fit.
        member : int, optional
            Number of a member; all by default.
        {drawing}
        """
        check_is_fitted(estimator, "history_")
        history = estimator.history_
        if member is not None:
            history = history[history["member"] == member_of(estimator, member)]
        task_losses = _task_losses(estimator, member) if by_task else None
        return cls(history, task_losses).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        self.lines_ = []
        if self.task_losses is not None:
            self._draw_tasks(ax, kwargs)
            return
        members = self.history["member"].unique()
        for number, member in enumerate(members):
            rows = self.history[self.history["member"] == member]
            for column, (name, style) in _STYLES.items():
                if column not in rows or rows[column].isna().all():
                    continue
                # a single member needs no number in the label
                label = name if len(members) == 1 else f"member {member}, {name}"
                options = {"label": label, "linestyle": style, "color": f"C{number % 10}"}
                self.lines_ += ax.plot(rows["epoch"], rows[column], **{**options, **kwargs})
                if column == "valid_loss":
                    best = rows.loc[rows[column].idxmin()]
                    ax.plot(best["epoch"], best[column], "o", color=self.lines_[-1].get_color())
        ax.set(xlabel="epoch", ylabel="loss")
        if len(self.lines_) <= 12:
            ax.legend()

    def _draw_tasks(self, ax, kwargs):
        means = self.task_losses.groupby(level="epoch").mean()
        self.lines_ = draw_curves(ax, means, kwargs)
        ax.set(xlabel="epoch", ylabel="loss of the task")
        if len(self.lines_) <= 12:
            ax.legend(title="task")


def _task_losses(estimator, member):
    """Return the recorded losses of one member or all, with the names of the tasks."""
    recorders = [c for c in estimator.callbacks_ if isinstance(c, TaskLossRecorder)]
    if not recorders:
        raise ValueError(
            "the losses of tasks were not recorded; pass callbacks=[TaskLossRecorder()], from "
            "skmtl.callbacks, to the estimator and fit again."
        )
    table = recorders[0].table_.iloc[:, : len(estimator.tasks_)]
    table = table.set_axis(estimator.tasks_[: table.shape[1]], axis=1)
    return table if member is None else table.loc[[member_of(estimator, member)]]
