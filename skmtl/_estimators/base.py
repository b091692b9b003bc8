"""The scikit-learn contract: parameters, checks, fit, predict, persistence.

It knows no architecture: a subclass builds its module and says what its parameters mean.
"""

import copy
from abc import ABCMeta, abstractmethod

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from skmtl._data.columns import as_table
from skmtl._data.rows import TrainingRows, row_counts
from skmtl._data.targets import make_targets
from skmtl._estimators.adapt import remember_fit
from skmtl._estimators.base_learner import check_base
from skmtl._estimators.blend import fit_blend
from skmtl._estimators.fit_sums import sums_of_fit
from skmtl._estimators.interval_fits import check_intervals, fit_intervals, late_rows
from skmtl._estimators.level_effects import level_sums
from skmtl._estimators.levels import make_tables
from skmtl._estimators.new_tasks import plan_new_tasks
from skmtl._estimators.notebook import fitted_html, summary
from skmtl._estimators.plan import FitPlan, check_validation, split_rows
from skmtl._estimators.predictor import Predictor, predict_parts
from skmtl._estimators.record import TrainingRecord, recorded
from skmtl._estimators.reports import history_table
from skmtl._estimators.run import bound_weighting, train_plan
from skmtl._estimators.shared import (
    CONSTRAINTS,
    ESTIMATOR_PARAMETERS,
    fit_checkpoints,
    with_parameters,
)
from skmtl._estimators.unchanged import unchanged_on_failure
from skmtl._persistence import ModelFileMixin
from skmtl._sklearn_compat import (
    _safe_indexing,
)
from skmtl.training import steps_for
from skmtl.training._device import own_state
from skmtl.weighting import get_weighting
from skmtl.weighting._affinity import get_affinity

# what scikit-learn remembers of the columns of X
COLUMNS = ("n_features_in_", "feature_names_in_")


class BaseMultiTaskEstimator(ModelFileMixin, BaseEstimator, metaclass=ABCMeta):
    """What all estimators share; a subclass has its parameters and an architecture.

    Its constructor gets those of `ESTIMATOR_PARAMETERS` as well, but those it `_lacks`.
    """

    _parameter_constraints = CONSTRAINTS

    # what may differ between members that train in one run, besides those of the architecture
    _member_parameters = ()
    # what earlier versions did, which had no such parameters
    _parameters_before = {"base": None, "hold_out_tasks": False}
    # of models without them
    _blend = _new_tasks = _sums = _importances = _intervals = None
    _chosen = {}
    # of estimators without these parameters
    base, base_sees_task, hold_out_tasks = None, True, False
    preset, time_limit = "default", None
    # whether a fit measures the importance of columns
    _has_importances = False
    # shared parameters that an estimator does not have
    _lacks, intervals, interval_time = (), False, None
    # whether validation rows may belong to tasks that were not trained on
    _validates_new_tasks = True
    # the architecture whose parameters the constructor takes over, flat
    _architecture_class = None

    def __init_subclass__(cls, **settings):
        super().__init_subclass__(**settings)
        if "__init__" in vars(cls):
            added = {n: v for n, v in ESTIMATOR_PARAMETERS.items() if n not in cls._lacks}
            cls.__init__ = with_parameters(cls.__init__, **added)

    def _store(self, parameters):
        """Keep the constructor's arguments, its local variables, unmodified."""
        vars(self).update((name, v) for name, v in parameters.items() if name != "self")

    def _architecture(self):
        """Return the architecture, an object with the parameters of this estimator."""
        parameters = self.get_params(deep=False)
        return self._architecture_class(
            **{name: parameters[name] for name in self._architecture_parameters()}
        )

    def _architecture_parameters(self):
        """Return names of the estimator's parameters that belong to its architecture."""
        return self._architecture_class._get_param_names()

    def _steps(self, plans, state=None):
        """Return the `Steps` of plans as `task_weighting` says; `state` is from an earlier fit."""
        return steps_for(bound_weighting(plans), state)

    @abstractmethod
    def _target_settings(self):
        """Return the parameters that say what y holds, a dict of `TargetSettings`."""

    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None):
        """Train one network per task, all together.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Features, task id and metadata, as the constructor's parameters say.
        y : array-like of shape (n,), (n, n_outputs) or (n, n_tasks)
            Labels. With ``task_id=None`` and several columns every column is a task (wide form),
            and NaN is a missing label.
        sample_weight : array-like of shape (n,), or (n, n_tasks) in wide form, optional
            A weight of 2 means the same as the row twice, 0 the same as no row. Whole weights, of
            a mean up to 20, count rows when some are set aside for validation.
        X_val, y_val : as X and y, optional
            Rows for early stopping, instead of a part of X. With metadata their tasks may be new;
            they are then predicted as ``predict`` does, so that a model for new tasks stops when
            it is best for new tasks.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a table, a label or a parameter cannot be used; the message says what to change.
        DivergenceError
            If training diverges.

        Warns
        -----
        ValidationWarning
            If no task has enough rows to set one aside for early stopping.
        UnlabelledRowsWarning
            If rows have no label of any task.
        """
        # a model that was fitted before still is if this fails
        with unchanged_on_failure(self), own_state(), fit_checkpoints(self):
            plan = self._plan(X, y, sample_weight, X_val, y_val)
            self._finish(plan, *train_plan(plan))
        return self

    def _plan(self, X, y, sample_weight=None, X_val=None, y_val=None, *, whole_y=None):
        """Check parameters and tables, and return what to train on.

        `whole_y` are the labels of the table of which X is a part, see `make_targets`.
        """
        self._validate_params()
        get_weighting(self.task_weighting)
        get_affinity(self.record_affinity)
        tables = make_tables(self)
        targets = make_targets(y, self.task_id, whole_y, **self._target_settings())
        warm = self.warm_start and hasattr(self, "module_")
        X, *labels = self._check_rows(X, y, sample_weight, targets.fit_transform)
        previous = None
        if warm:
            X, previous = self._tables.ordered(X), self._tables
        features, tasks = tables.fit(X, self, targets.tasks, previous)
        rows = TrainingRows(features, tasks, *labels, late=late_rows(self, X, tasks)).canonical()
        valid, new_metadata = check_validation(self, tables, targets, X_val, y_val)
        seeds = self._member_seeds(self.n_members)
        splits = split_rows(self, rows, valid, tables, targets, seeds)
        held_out = X_val is None and splits[0][1] is not None
        again = self.early_stopping == "refit" and self.preset != "fast"
        refit = rows if held_out and again else None
        train_rows = splits[0][0] if refit is None else refit
        targets.fit_rows(train_rows, None if tables.level_sizes else tables.n_tasks)
        if valid is not None:
            targets.check_rows(valid, tables.tasks)
        if warm:
            tables, targets = self._tables.resumed(tables), self._targets.resumed(targets)
        else:
            tables.fit_rows(train_rows)
        plan = FitPlan(self, tables, targets, splits, seeds, refit, new_metadata)
        check_base(plan)
        if any(check_intervals(self, rows, tables)):
            plan.interval_rows = rows
        plan.new_tasks = plan_new_tasks(plan, rows, X_val)
        return plan

    def _check_rows(self, X, y, sample_weight, encode):
        """Return X, encoded targets, weights and copies of rows; rows without weight are dropped.

        Features of those may be anything. `encode` is `Targets.fit_transform` or
        `Targets.transform`.
        """
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        X = as_table(X)
        check_consistent_length(X, y)
        y, weights = encode(y, sample_weight)
        kept = np.flatnonzero(weights if weights.ndim == 1 else weights.any(axis=1))
        copies = row_counts(sample_weight, len(y))
        return _safe_indexing(X, kept), y[kept], weights[kept], copies[kept]

    def _member_seeds(self, n_members):
        """Return one seed per member; those of the first do not depend on how many there are."""
        return check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=n_members)

    def _finish(self, plan, result, new=None):
        """Keep what was learned and recorded by the members of a plan.

        `new` is the result of the plan for new tasks, if there is one.
        """
        remember_fit(result.module, plan)
        results, new_tasks = [result], None
        blends = [fit_blend(plan, result.held_out)]
        if new is not None:
            results.append(new)
            blends.append(fit_blend(plan.new_tasks, new.held_out))
            history = history_table(new.records, new.observed)
            new_tasks = Predictor(new.module, blends[-1], history)
        self._intervals = fit_intervals(plan, results, blends)
        self._blend, self._new_tasks = blends[0], new_tasks
        self._tables, self._targets = plan.tables.without_rows(), plan.targets
        self.device_, self.module_ = result.device, result.module
        self._chosen = plan.chosen
        self._importances = plan.importances
        sums_of = level_sums if plan.tables.level_sizes else sums_of_fit
        self._sums = sums_of(plan, result.module) if plan.for_reports else None
        self._record = TrainingRecord(result, plan.tables.tasks, get_weighting(self.task_weighting))
        self.history_ = self._record.history
        self.n_iter_ = int(self.history_["epoch"].max())
        self.callbacks_ = result.callbacks

    task_weights_ = recorded(TrainingRecord.task_weights)
    affinity_ = recorded(TrainingRecord.affinity)
    affinity_history_ = recorded(TrainingRecord.affinity_history)
    candidate_transferences_ = recorded(TrainingRecord.candidate_transferences)
    candidate_choices_ = recorded(TrainingRecord.candidate_choices)

    def _networks(self, module):
        """Return the module that predicts, of a trained one."""
        return module

    def _predict(self, X, each_member=False, module=None):
        """Predict X with a module, by default ``module_``, for each of the `parts` of the targets.

        Returns a list of arrays ([M,] n, ...), in the caller's units or logarithms of
        probabilities. With `each_member`, members are kept apart.
        """
        return self._predict_query(self._query(X), each_member, module)

    def _query(self, X):
        """Return the `PredictionRows` of a table."""
        check_is_fitted(self, "module_")
        return self._tables.prediction_rows(X, self.unseen_tasks, self)

    def _predict_query(self, query, each_member=False, module=None):
        """Predict `PredictionRows`, see `_predict`."""
        new = self._new_tasks if module is None else None
        if new is not None:
            new = Predictor(self._networks(new.module), new.blend)
        main = Predictor(self._networks(self.module_) if module is None else module, self._blend)
        with own_state():
            return predict_parts(self._targets, query, main, new, each_member)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @property
    def tasks_(self):
        """Task labels, in the order of the embeddings; with several levels ids, a dict by level."""
        check_is_fitted(self, "module_")
        return self._tables.tasks

    @property
    def metadata_names_(self):
        """Columns of metadata that are used."""
        check_is_fitted(self, "module_")
        return self._tables.metadata_names

    @property
    def base_weights_(self):
        """Share of the base learner in predictions: by task in wide form, or one number."""
        check_is_fitted(self, "module_")
        if self._blend is None:
            raise AttributeError("there is no base learner: base=None, or too few rows for one.")
        index = self.tasks_ if self._targets.wide else ["all"]
        return pd.Series(self._blend.weights, index=index, name="base")

    @property
    def chosen_parameters_(self):
        """Values of the parameters that were "auto" and are chosen by validation, by name."""
        check_is_fitted(self, "module_")
        return dict(self._chosen)

    @property
    def task_types_(self):
        """What each task of wide form is: "regression", "binary" or "multiclass"."""
        check_is_fitted(self, "module_")
        if not self._targets.wide:
            raise AttributeError("task_types_ is for wide form; here all tasks are of one type.")
        return {
            task: part.kind for task, part in zip(self.tasks_, self._targets.parts, strict=True)
        }

    def summary(self):
        """Summarise the training of each member.

        Returns
        -------
        DataFrame
            One row per member: the number of ``epochs``, the ``best_epoch``, whose weights are kept
            (the last epoch if there are no validation rows), ``train_loss`` and ``valid_loss``
            in that epoch, and the number of ``parameters`` of the network. Where members hold out
            whole tasks (`hold_out_tasks`), ``tasks`` says which predict "known" and which "new"
            tasks.
        """
        check_is_fitted(self, "module_")
        return summary(self)

    def _html_repr(self):
        html = super()._html_repr()
        return html + fitted_html(self) if hasattr(self, "module_") else html

    def __getstate__(self):
        state = super().__getstate__()
        module = state.get("module_")
        if module is not None and next(module.parameters()).is_cuda:
            # a model must load where there is no GPU
            state = {**state, "module_": copy.deepcopy(module).cpu()}
            if self._new_tasks is not None:
                state["_new_tasks"] = copy.deepcopy(self._new_tasks)
                state["_new_tasks"].module.cpu()
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "module_" in state and str(self.device_).startswith("cuda"):
            if torch.cuda.is_available():
                self.module_.to(self.device_)
                if self._new_tasks is not None:
                    self._new_tasks.module.to(self.device_)
            else:
                self.device_ = "cpu"
