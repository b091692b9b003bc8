"""What `ParetoHypernet` does with preferences: its module, its settings, predictions for them.

The network is in `skmtl.nn`, the loop in `skmtl.training`.
"""

import numpy as np
import pandas as pd
import torch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.front import FrontMixin
from skmtl._estimators.layers import layer_sizes
from skmtl._estimators.predictors import _has_classes
from skmtl._estimators.preferences import as_preferences
from skmtl.nn import ParetoNetwork, WrittenModule, WrittenSharedBottom
from skmtl.training import get_solver

# of several preferences and members: more are slower, since their numbers do not stay in the cache
_NETWORKS_AT_ONCE = 128


class ParetoMixin(FrontMixin):
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
            self._check_fixed_preferences(tasks)
        return {}

    def _check_fixed_preferences(self, tasks):
        preferences = np.asarray(self.preferences)
        if preferences.ndim == 3:
            if len(preferences) != self.n_members:
                raise ValueError(
                    f"preferences of shape {preferences.shape} are for {len(preferences)} "
                    f"member(s), but n_members is {self.n_members}: give a set for each, of shape "
                    f"(n_members, P, {len(tasks)}), or one for all, of shape (P, {len(tasks)})."
                )
            preferences = preferences.reshape(-1, preferences.shape[2])
        as_preferences(preferences, tasks)

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
            fixed = np.atleast_2d(np.asarray(self.preferences, dtype=np.float64))
        return {
            "preferences": {
                "solver": self.solver,
                "n_preferences": self.n_preferences,
                "n_reference_vectors": self.n_reference_vectors,
                "restoration": self.restoration,
                "concentration": self._concentration(),
                "preferences": fixed,
                "weight_scale": self.weight_scale,
            }
        }

    def _concentration(self):
        """Of the distribution that preferences come from; None leaves it to the number of tasks."""
        if not self._draws_dirichlet():
            return 1.0
        return None if isinstance(self.concentration, str) else self.concentration

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


def _apart(answer, n_preferences, axis):
    """An answer with the preferences along an axis of their own."""
    if isinstance(answer, tuple):
        return tuple(_apart(one, n_preferences, axis) for one in answer)
    if isinstance(answer, dict):
        return {task: _apart(one, n_preferences, axis) for task, one in answer.items()}
    answer = np.asarray(answer)
    shape = answer.shape
    return answer.reshape(*shape[:axis], n_preferences, -1, *shape[axis + 1 :])
