"""The front of a `ParetoHypernet`: losses for many preferences, and choices among them."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skmtl._data.messages import label_text
from skmtl._estimators.preferences import as_preferences, front_table, preference_grid


class Front:
    """Losses along the front of a fitted `ParetoHypernet`, which predicts for preferences."""

    def __init__(self, model):
        check_is_fitted(model, "module_")
        self.model, self.tasks = model, model.tasks_

    def losses(self, X, y, preferences, sample_weight=None):
        """Return the loss of every task for every preference over its scale, shape (P, T)."""
        model, targets = self.model, self.model._targets
        X, labels, weights, _ = model._check_rows(X, y, sample_weight, targets.transform)
        answers = model._view(preferences)._predict(X)
        n_preferences, n_tasks = preferences.shape
        losses = np.full((n_preferences, n_tasks), np.nan)
        tasks = None if targets.wide else model._tables.validation_rows(X, model, False)[1]
        for t in range(n_tasks):
            k = t if targets.wide else 0
            rows = weights[:, t] > 0 if targets.wide else (tasks == t) & (weights > 0)
            if not rows.any():
                raise ValueError(
                    f"there is no row with a label of the task {label_text(self.tasks[t])}, so "
                    "that its loss is not known; pass rows of all tasks."
                )
            values = labels[rows, t : t + 1] if targets.wide else labels[rows]
            shares = weights[rows, t] if targets.wide else weights[rows]
            answer = answers[k].reshape(n_preferences, -1, answers[k].shape[-1])[:, rows]
            losses[:, t] = targets.parts[k].losses(answer, values) @ (shares / shares.sum())
        return losses / model._loss_scales

    def _candidates(self, preferences):
        """Return preferences of shape (P, T), from a table of them or from their number."""
        if isinstance(preferences, Integral) and not isinstance(preferences, bool):
            if preferences < 1:
                raise ValueError(f"preferences must be at least 1, got {preferences!r}.")
            return preference_grid(int(preferences), len(self.tasks))
        return as_preferences(preferences, self.tasks)[0]

    def table(self, X, y, preferences, sample_weight=None):
        """Return preferences and losses as a table, see `ParetoHypernet.pareto_front`."""
        preferences = self._candidates(preferences)
        losses = self.losses(X, y, preferences, sample_weight)
        return front_table(preferences, losses, self.tasks)

    def choose(self, X, y, max_loss, minimize, preferences):
        """Return the best preference within limits, see `ParetoHypernet.choose_preference`."""
        front = self.table(X, y, preferences)
        losses = front["loss"]
        limits = {} if max_loss is None else dict(max_loss)
        named = [*limits, *([] if minimize is None else [minimize])]
        unknown = [task for task in named if task not in self.tasks]
        if unknown:
            raise ValueError(f"{unknown} are no tasks of this model, {list(self.tasks[:20])}.")
        excess = pd.DataFrame({task: losses[task] - limit for task, limit in limits.items()})
        met = (excess <= 0).all(axis=1) if limits else pd.Series(True, index=front.index)
        if not met.any():
            nearest = losses.loc[excess.max(axis=1).idxmin()]
            alone = ", ".join(f"{losses[task].min():.4g} for {label_text(task)}" for task in limits)
            together = ", ".join(f"{nearest[task]:.4g} for {label_text(task)}" for task in limits)
            raise ValueError(
                f"no preference meets max_loss={limits}: the lowest losses that one reaches are "
                f"{alone}" + (f", and {together} together." if len(limits) > 1 else ".")
            )
        value = losses.mean(axis=1) if minimize is None else losses[minimize]
        return front["preference"].loc[value[met].idxmin()].rename("preference")
