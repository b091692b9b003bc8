"""What `ParetoHypernet` does with preferences: its module, predictions for them, fronts, choices.

The network is in `skmtl.nn`, the loop in `skmtl.training`.
"""

from numbers import Integral

import numpy as np
import pandas as pd
import torch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skmtl._layers import layer_sizes
from skmtl._predictors import _has_classes
from skmtl._preferences import as_preferences, front_table, preference_grid
from skmtl.nn import ParetoNetwork, WrittenModule, WrittenSharedBottom
from skmtl.training import get_solver
from skmtl.weighting._preferences import normalised

_CHOICES = 300
# of several preferences and members: more are slower, since their numbers do not stay in the cache
_NETWORKS_AT_ONCE = 64


class ParetoMixin:
    """Builds the Pareto hypernetwork, and does what only it can do."""

    # predictions differ by it, networks do not
    _member_parameters = ("preference",)
    _knows_tasks = True
    # what the loop of other estimators asks for: here preferences weigh the tasks
    task_weighting, record_affinity = "equal", False

    def _task_settings(self, tasks):
        if self.preference is not None:
            as_preferences(self.preference, tasks)
        names = getattr(self.preferences, "columns", tasks)
        if list(names) != list(tasks):
            raise ValueError(
                f"the columns of preferences are {list(names[:20])}, but the tasks are "
                f"{list(tasks[:20])}; they must be the same in that order."
            )
        if not isinstance(self.preferences, str):
            as_preferences(np.asarray(self.preferences), tasks)
        return {}

    def _build_module(self, n_tasks, n_features, n_metadata, n_outputs, seeds):
        if self.network is not None:
            if n_metadata:
                raise ValueError(
                    "network= reads the features of rows only; metadata= needs the built-in "
                    "network. Leave one of them out."
                )
            written = WrittenModule(self.network, n_tasks, n_features, n_outputs, seeds=seeds)
        else:
            written = WrittenSharedBottom(
                n_tasks,
                n_features + n_metadata,
                n_outputs,
                seeds=seeds,
                hidden_layer_sizes=layer_sizes(self, "hidden_layer_sizes"),
                activation=self.activation,
            )
        width = self.hypernet_width
        return ParetoNetwork(
            written,
            n_tasks,
            seeds=seeds,
            compression=self.compression,
            hypernet_layers=self.hypernet_layers,
            hypernet_width=None if isinstance(width, str) else width,
        )

    def _loop_settings(self):
        fixed = None
        if not isinstance(self.preferences, str):
            # the order of tasks was checked with the tasks at hand
            fixed = normalised(np.atleast_2d(np.asarray(self.preferences, dtype=np.float64)))
        return {
            "preferences": {
                "solver": self.solver,
                "n_preferences": self.n_preferences,
                "n_reference_vectors": self.n_reference_vectors,
                "restoration": self.restoration,
                "concentration": self.concentration if self._draws_dirichlet() else 1.0,
                "preferences": fixed,
                "weight_scale": self.weight_scale,
            }
        }

    def _draws_dirichlet(self):
        return isinstance(self.preferences, str) and self.preferences == "dirichlet"

    def _finish(self, job, net, first=None):
        super()._finish(job, net, first)
        scales = net.loss_scales_[first or 0, : len(job.tables.tasks)]
        self._loss_scales = scales.double().cpu().numpy()
        self._written = None

    @property
    def loss_scales_(self):
        """What losses of the tasks are divided by: those of the best constants, in units of y."""
        check_is_fitted(self, "module_")
        units = np.array([outcome.loss_unit for outcome in self._targets.outcomes])
        return pd.Series(self._loss_scales * units, index=self.tasks_, name="loss_scale")

    def __getstate__(self):
        # networks that were written are written again when they are asked for
        return {name: v for name, v in super().__getstate__().items() if name != "_written"}

    def __setstate__(self, state):
        super().__setstate__(state)
        self._written = None

    # predictions

    def _preferences(self, preference=None):
        """Preferences of shape (P, T), and whether one was asked for."""
        check_is_fitted(self, "module_")
        if preference is None:
            preference = self.preference
        if preference is None:
            preference = np.ones(len(self.tasks_))
        return as_preferences(preference, self.tasks_)

    def _view(self, preferences):
        """This estimator with the networks of some preferences, shape (P, T)."""
        view = object.__new__(type(self))
        vars(view).update(vars(self))
        one = len(preferences) == 1
        view._written = preferences, self._module_at(preferences) if one else None
        return view

    def _module_at(self, preferences):
        """The networks of some preferences, of every member."""
        return self.module_.at(torch.as_tensor(get_solver(self.solver).rays(preferences)))

    def _predict(self, X, each_member=False, module=None):
        """As of all estimators; the rows of several preferences stand behind each other."""
        check_is_fitted(self, "module_")
        if module is not None:
            return super()._predict(X, each_member, module)
        if self._written is None:
            return self._view(self._preferences()[0])._predict(X, each_member)
        preferences, module = self._written
        if len(preferences) == 1:
            return super()._predict(X, each_member, module)
        n_members, results = self.module_.n_members, []
        at_once = max(1, _NETWORKS_AT_ONCE // n_members)
        for start in range(0, len(preferences), at_once):
            some = self._module_at(preferences[start : start + at_once])
            members = super()._predict(X, True, some)
            results.append([v.reshape(n_members, -1, *v.shape[2:]) for v in members])
        results = [np.concatenate(parts, axis=1) for parts in zip(*results, strict=True)]
        if each_member:
            return results
        pairs = zip(self._targets.outcomes, results, strict=True)
        return [outcome.mean(values) for outcome, values in pairs]

    def _table_of(self, X, answers, of_outcome):
        one = self._written is None or len(self._written[0]) == 1
        return super()._table_of(X if one else None, answers, of_outcome)

    def _ask(self, method, X, preference, *arguments, axis=0):
        """What a method of all estimators answers for one or for several preferences."""
        if preference is None and self._keeps_written():
            return getattr(super(), method)(X, *arguments)
        preferences, one = self._preferences(preference)
        answer = getattr(super(ParetoMixin, self._view(preferences)), method)(X, *arguments)
        return answer if one else _apart(answer, len(preferences), axis)

    def _keeps_written(self):
        """Whether the network of the constructor's preference is at hand, see `with_preference`."""
        check_is_fitted(self, "module_")
        if self._written is None:
            return False
        preferences = self._preferences()[0]
        return np.array_equal(preferences, self._written[0])

    def with_preference(self, preference):
        """Return a view of this model that predicts with a fixed preference, for serving.

        It shares everything with this model and keeps the network of the preference, so that a
        prediction costs what one of a plain network does.

        Parameters
        ----------
        preference : array-like of shape (T,), dict or Series
            As in ``predict``.

        Returns
        -------
        ParetoHypernet
            Fitted, with `preference` as its parameter.
        """
        preferences, one = self._preferences(preference)
        if not one:
            raise ValueError("with_preference takes one preference; predict takes several.")
        view = self._view(preferences)
        view.preference = preference
        return view

    def predict(self, X, return_std=False, *, preference=None):
        """Predict every row with the network of a preference, or of each of several.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``fit``.
        return_std : bool, default=False
            Whether to return how far the members are apart, too.
        preference : array-like of shape (T,) or (P, T), dict, Series or DataFrame, optional
            A weight for each task, in the order of ``tasks_`` or by name: non-negative, of any
            scale; more weight on a task means a lower loss of it. By default that of the
            constructor. Several are predicted in one pass.

        Returns
        -------
        y : ndarray of shape (n,) or (n, n_outputs), in wide form (n, n_tasks)
            In the units of y, as of all estimators; in wide form a DataFrame if y was one. For
            several preferences an array with another axis in front.
        std : as y
            Standard deviations of the members' predictions, if `return_std` is True.

        Raises
        ------
        ValueError
            If a preference is negative, not finite, all zero, or of another length than there are
            tasks.
        """
        return self._ask("predict", X, preference, return_std)

    def predict_members(self, X, *, preference=None):
        """Predict every row with every member.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        preference : array-like of shape (T,) or (P, T), dict, Series or DataFrame, optional
            As for ``predict``.

        Returns
        -------
        ndarray of shape (n_members, n) or (n_members, n, n_outputs)
            Numbers in the units of y, or the probabilities of the classes; in wide form a dict of
            such arrays by task. Several preferences are the second axis.
        """
        return self._ask("predict_members", X, preference, axis=1)

    @available_if(_has_classes)
    def predict_proba(self, X, *, preference=None):
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        preference : array-like of shape (T,) or (P, T), dict, Series or DataFrame, optional
            As for ``predict``.

        Returns
        -------
        ndarray of shape (n, n_classes)
            In the order of ``classes_``. In wide form a dict of such arrays by task, for the
            tasks that have classes; if y was an array of 0 and 1 only, an array of shape
            (n, n_tasks) with the probabilities of 1. Several preferences are an axis in front.
        """
        return self._ask("predict_proba", X, preference)

    @available_if(_has_classes)
    def decision_function(self, X, *, preference=None):
        """Tell how much speaks for each class: the larger, the more probable.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        preference : array-like of shape (T,) or (P, T), dict, Series or DataFrame, optional
            As for ``predict``.

        Returns
        -------
        ndarray of shape (n,) or (n, n_classes)
            With two classes the logarithm of the odds of the second one, else logarithms of
            probabilities. In wide form and for several preferences as for ``predict_proba``.
        """
        return self._ask("decision_function", X, preference)

    # fronts

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


def _apart(answer, n_preferences, axis):
    """An answer with the preferences along an axis of their own."""
    if isinstance(answer, tuple):
        return tuple(_apart(one, n_preferences, axis) for one in answer)
    if isinstance(answer, dict):
        return {task: _apart(one, n_preferences, axis) for task, one in answer.items()}
    answer = np.asarray(answer)
    shape = answer.shape
    return answer.reshape(*shape[:axis], n_preferences, -1, *shape[axis + 1 :])
