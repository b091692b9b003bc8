"""Predictions for preferences: what a model does that has one network for every trade-off."""

import numpy as np
import pandas as pd
import torch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.bases import BaseRegressor
from skmtl._estimators.front import Front
from skmtl._estimators.predictors import has_classes
from skmtl._estimators.preferences import as_preferences, separated
from skmtl.training import get_solver
from skmtl.training._device import own_state

# of several preferences and members: more are slower, since their numbers leave the cache
_NETWORKS_AT_ONCE = 128


class PreferencePredictor(BaseRegressor):
    """Base class of estimators with the parameters `preference` and `solver`."""

    # residuals would be those of one preference
    _lacks = ("intervals", "interval_time")
    # a preference has no weight for them
    _validates_new_tasks = False
    _has_importances = False

    def _finish(self, plan, result, new=None):
        super()._finish(plan, result, new)
        self._loss_scales = result.loss_scales[0].double().cpu().numpy()
        self._written = None

    @property
    def loss_scales_(self):
        """What losses of the tasks are divided by: those of the best constants, in units of y."""
        check_is_fitted(self, "module_")
        units = np.array([part.loss_unit for part in self._targets.parts])
        return pd.Series(self._loss_scales * units, index=self.tasks_, name="loss_scale")

    def __getstate__(self):
        # networks that were written are written again when they are needed
        return {name: v for name, v in super().__getstate__().items() if name != "_written"}

    def __setstate__(self, state):
        super().__setstate__(state)
        self._written = None

    # predictions

    def _preferences(self, preference=None):
        """Return preferences of shape (P, T), and whether there was only one."""
        check_is_fitted(self, "module_")
        if preference is None:
            preference = self.preference
        if preference is None:
            preference = np.ones(len(self.tasks_))
        return as_preferences(preference, self.tasks_)

    def _view(self, preferences):
        """Return this estimator with the networks of given preferences, shape (P, T)."""
        view = object.__new__(type(self))
        vars(view).update(vars(self))
        one = len(preferences) == 1
        view._written = preferences, self._module_at(preferences) if one else None
        return view

    def _module_at(self, preferences):
        """Return the networks of given preferences, of every member."""
        # numbers must not depend on how many threads torch uses elsewhere
        with own_state():
            return self.module_.at(torch.as_tensor(get_solver(self.solver).rays(preferences)))

    def _predict(self, X, each_member=False, module=None):
        """Predict as all estimators do; the rows of several preferences follow one another."""
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
            module = self._module_at(preferences[start : start + at_once])
            members = super()._predict(X, True, module)
            results.append([v.reshape(n_members, -1, *v.shape[2:]) for v in members])
        results = [np.concatenate(parts, axis=1) for parts in zip(*results, strict=True)]
        if each_member:
            return results
        pairs = zip(self._targets.parts, results, strict=True)
        return [part.mean(values) for part, values in pairs]

    def _table_of(self, X, answers, of_part):
        one = self._written is None or len(self._written[0]) == 1
        return super()._table_of(X if one else None, answers, of_part)

    def _ask(self, method, X, preference, *arguments, axis=0):
        """Return the result of a method of all estimators, for one or for several preferences."""
        if preference is None and self._keeps_written():
            return getattr(super(), method)(X, *arguments)
        preferences, one = self._preferences(preference)
        answer = getattr(super(PreferencePredictor, self._view(preferences)), method)(X, *arguments)
        return answer if one else separated(answer, len(preferences), axis)

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
        if not isinstance(return_std, (bool, np.bool_)):
            raise TypeError(
                f"return_std must be True or False, got {type(return_std).__name__}; pass "
                "preferences by name: preference=..."
            )
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

    @available_if(has_classes)
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
            tasks that have classes; if y had several columns of 0 and 1 only, shape (n, n_tasks)
            with the probabilities of 1. Several preferences are an axis in front.
        """
        return self._ask("predict_proba", X, preference)

    @available_if(has_classes)
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

    def pareto_front(self, X, y, preferences=100, sample_weight=None):
        """Measure the losses of all tasks along the front.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Rows that were not trained on.
        y : array-like
            Their labels, as in ``fit``.
        preferences : int or array-like of shape (P, T), default=100
            Either the preferences, or how many that cover the simplex evenly (with three tasks at
            most so many).
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
        return Front(self).table(X, y, preferences, sample_weight)

    def choose_preference(self, X, y, *, max_loss=None, minimize=None, preferences=300):
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
        return Front(self).choose(X, y, max_loss, minimize, preferences)
