"""What `ParetoHypernet` knows of a whole front: losses for many preferences, choices among them.

The networks themselves are asked through `skmtl._estimators.pareto_mixin`.
"""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.preferences import as_preferences, front_table, preference_grid

# preferences among which one is chosen
_CHOICES = 300


class FrontMixin:
    """Losses along the front, for an estimator that predicts for preferences."""

    def _task_losses(self, X, y, preferences, sample_weight=None):
        """Loss of every task for every preference, divided by its scale, shape (P, T)."""
        check_is_fitted(self, "module_")
        targets = self._targets
        X, labels, weights, _ = self._check_rows(X, y, sample_weight, targets)
        answers = self._view(preferences)._predict(X)
        n_preferences, n_tasks = preferences.shape
        losses = np.full((n_preferences, n_tasks), np.nan)
        tasks = None if targets.wide else self._tables.known(X, self)[1]
        for t in range(n_tasks):
            k = t if targets.wide else 0
            some = weights[:, t] > 0 if targets.wide else (tasks == t) & (weights > 0)
            if not some.any():
                raise ValueError(
                    f"there is no row with a label of the task {self.tasks_[t]!r}, so that its "
                    "loss is not known; pass rows of all tasks."
                )
            own = labels[some, t : t + 1] if targets.wide else labels[some]
            share = weights[some, t] if targets.wide else weights[some]
            answer = answers[k].reshape(n_preferences, -1, answers[k].shape[-1])[:, some]
            losses[:, t] = targets.outcomes[k].losses(answer, own) @ (share / share.sum())
        return losses / self._loss_scales

    def _candidates(self, preferences):
        """Preferences of shape (P, T), from a table of them or from their number."""
        if isinstance(preferences, Integral) and not isinstance(preferences, bool):
            if preferences < 1:
                raise ValueError(f"preferences must be at least 1, got {preferences!r}.")
            return preference_grid(int(preferences), len(self.tasks_))
        return as_preferences(preferences, self.tasks_)[0]

    def pareto_front(self, X, y, preferences=100, sample_weight=None):
        """Measure the losses of all tasks along the front.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Rows that were not trained on.
        y : array-like
            Their labels, as in ``fit``.
        preferences : int or array-like of shape (P, T), default=100
            Which preferences: so many that cover all of them evenly (with three tasks at most so
            many), or these.
        sample_weight : array-like of shape (n,), or (n, n_tasks) in wide form, optional
            Weights of the rows.

        Returns
        -------
        DataFrame
            One row per preference. Columns ("preference", task), of sum 1; ("loss", task), as a
            multiple of ``loss_scales_``, so that 1 is what the best constant reaches; and
            "dominated", True where another row is no worse in any task and better in one.

        Raises
        ------
        ValueError
            If a task has no label.
        """
        check_is_fitted(self, "module_")
        preferences = self._candidates(preferences)
        losses = self._task_losses(X, y, preferences, sample_weight)
        return front_table(preferences, losses, self.tasks_)

    def choose_preference(self, X, y, *, max_loss=None, minimize=None, preferences=_CHOICES):
        """Find the preference that meets limits and is best otherwise.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Rows that were not trained on.
        y : array-like
            Their labels, as in ``fit``.
        max_loss : dict of task to float, default=None
            Losses that must not be exceeded, as multiples of ``loss_scales_``.
        minimize : task, default=None
            Whose loss is to be smallest; by default the mean over all tasks.
        preferences : int or array-like of shape (P, T), default=300
            Which ones are tried, as in ``pareto_front``.

        Returns
        -------
        Series
            The preference, by task: a value for `preference` of ``predict``.

        Raises
        ------
        ValueError
            If no preference meets the limits; the message says how near the best one comes. If a
            task is not known.
        """
        front = self.pareto_front(X, y, preferences)
        losses = front["loss"]
        limits = {} if max_loss is None else dict(max_loss)
        asked = [*limits, *([] if minimize is None else [minimize])]
        unknown = [task for task in asked if task not in self.tasks_]
        if unknown:
            raise ValueError(f"{unknown} are no tasks of this model, {list(self.tasks_[:20])}.")
        excess = pd.DataFrame({task: losses[task] - limit for task, limit in limits.items()})
        met = (excess <= 0).all(axis=1) if limits else pd.Series(True, index=front.index)
        if not met.any():
            nearest = losses.loc[excess.max(axis=1).idxmin()]
            alone = ", ".join(f"{losses[task].min():.4g} for {task!r}" for task in limits)
            together = ", ".join(f"{nearest[task]:.4g} for {task!r}" for task in limits)
            raise ValueError(
                f"no preference meets max_loss={limits}: the lowest losses that one reaches are "
                f"{alone}" + (f", and {together} together." if len(limits) > 1 else ".")
            )
        value = losses.mean(axis=1) if minimize is None else losses[minimize]
        return front["preference"].loc[value[met].idxmin()].rename("preference")
