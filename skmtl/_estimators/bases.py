"""What regressors and classifiers add to a predictor: losses or classes, and their score."""

from numbers import Real

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.base import BaseMultiTaskEstimator
from skmtl._estimators.explain import explain_task
from skmtl._estimators.interval_predictor import IntervalPredictor
from skmtl._estimators.plan import BASES
from skmtl._estimators.task_effects import task_effects
from skmtl._estimators.variance_shares import variance_shares
from skmtl._sklearn_compat import HasMethods, Interval, StrOptions


def multi_label_classes(parts):
    """Return numbers of the columns, as scikit-learn's multi-label models have for classes."""
    # its scorers would take two numbers for the classes of a single column
    return np.arange(len(parts)) if len(parts) != 2 else np.array([[0, 1], [0, 1]])


def _reports(estimator):
    """Whether the architecture has embeddings that stand for random effects, or an error."""
    architecture = estimator._architecture()
    if not architecture.adapts:
        raise AttributeError(
            "reports of tasks need embeddings of tasks, which "
            f"{type(architecture).__name__} does not have: use MultiTaskHypernetRegressor, or "
            "MultiTaskRegressor(architecture=Hypernetwork())."
        )
    return True


class BaseRegressor(RegressorMixin, IntervalPredictor):
    """Base class of regressors: which loss, and what y may be."""

    _losses = ("squared_error", "absolute_error", "huber", "poisson", "pinball")
    _parameter_constraints = {
        **BaseMultiTaskEstimator._parameter_constraints,
        "base": [StrOptions(BASES), HasMethods(["fit", "predict"]), None],
        "base_sees_task": ["boolean"],
        "loss": [StrOptions({*_losses}), dict],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    def _target_settings(self):
        named = self.loss if isinstance(self.loss, dict) else {}
        wrong = {column: loss for column, loss in named.items() if loss not in self._losses}
        if wrong:
            raise ValueError(f"loss must be among {self._losses} for each column, got {wrong}.")
        return {
            "kind": "regression",
            "loss": self.loss,
            "quantile": self.quantile,
            "task_types": self.task_types,
        }

    def score(self, X, y, sample_weight=None):
        """Compute the coefficient of determination.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        y : array-like of shape (n,), (n, n_outputs) or (n, n_tasks)
            Labels; in wide form missing ones are left out.
        sample_weight : array-like of shape (n,), or (n, n_tasks) in wide form, optional
            Weights of the rows.

        Returns
        -------
        float
            In wide form the mean over tasks: the coefficient of determination of numbers, the
            accuracy of classes.
        """
        check_is_fitted(self, "module_")
        if self._targets.wide:
            return self._wide_score(X, y, sample_weight)
        return super().score(X, y, sample_weight)

    @available_if(_reports)
    def variance_shares(self, X=None):
        """Return how much of the variance of y goes with features, metadata, tasks and noise.

        What a mixed model reports as variance components, for the networks: the law of total
        variance over tasks and rows, every row being predicted for every task. The covariance of
        embeddings and the noise are estimated by restricted maximum likelihood, so that shrinkage
        does not make tasks look more alike than they are; nothing is trained again. A base learner
        has no part in it.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns), optional
            Rows whose features and tasks count, as for ``predict``, at most 256 rows and 128 tasks
            drawn from them. By default all tasks of ``fit``, and 256 made-up rows with the marginal
            distributions and rank correlations of the features of ``fit``, whose rows are not kept.

        Returns
        -------
        DataFrame
            Indexed by source. ``variance`` is in squared units of y; ``share`` of the total of
            "features", "metadata", "task" (what metadata do not explain) and "noise", which add up
            to 1. "task_level" (how tasks differ on average) and "task_slopes" (how they differ in
            what features do) add up to "task". "icc" is the intraclass correlation, task / (task +
            noise), and "explained_by_metadata" the share metadata / (metadata + task) of the
            variance between tasks. With several levels of ids "task" is the sum of "task[NAME]" of
            each level, whose parts and intraclass correlation are named in the same way.
            ``share_se`` are standard errors, from the number of tasks and rows and from the spread
            of members. ``part_of`` says which rows add up.

        Raises
        ------
        ValueError
            If `loss` is not "squared_error", y has several columns, ``embedding_dim=0``, or X has
            fewer than two known tasks.

        Notes
        -----
        Definitions follow Nakagawa, Johnson and Schielzeth, "The coefficient of determination R2
        and intra-class correlation coefficient", J. R. Soc. Interface 2017, section 3, with
        networks in place of linear predictors; tasks count equally, and features are taken to be
        distributed alike in all tasks. Errors of shares take features as given. Several levels are
        those of a linear mixed model whose regressors are the derivatives of the average network by
        the embeddings of each level, estimated in ``fit`` from at most 50,000 rows.

        Examples
        --------
        >>> from skmtl import MultiTaskHypernetRegressor
        >>> from skmtl.datasets import make_cubic
        >>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
        >>> model = MultiTaskHypernetRegressor(task_id="task", max_iter=50, random_state=0)
        >>> shares = model.fit(cubic.data[["task", "x"]], cubic.target).variance_shares()
        >>> float(shares.loc[["features", "metadata", "task", "noise"], "share"].sum().round(6))
        1.0
        """
        return variance_shares(self, X)

    @available_if(_reports)
    def task_effects(self, X=None, *, total=False):
        """Return what each task adds, with standard errors: its level and slopes of features.

        These are the best linear unbiased predictions of a mixed model whose random effects are the
        embeddings, near the trained ones. They differ a little from differences of ``predict``,
        whose embeddings are those at which training has stopped.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns), optional
            The mean of these rows' features is the reference row; by default that of ``fit``.
        total : bool, default=False
            Whether to return the levels and slopes themselves, instead of how far they are from the
            mean over tasks.

        Returns
        -------
        DataFrame
            One row per task. ``rows``: of ``fit`` (or ``adapt``). ``level``: the prediction for the
            reference row, in units of y, and its standard error ``level_se``. ``level_by_metadata``
            (with metadata): the part of the level that metadata explain. ``shrinkage``: how far the
            level was pulled towards that, from 0 (as the task's rows alone say) to 1 (as metadata
            alone say). ``slope_NAME`` and ``slope_NAME_se``: change per unit of the feature, from
            one standard deviation below the reference row to one above, per day of dates and
            durations; for categories ``slope_NAME=CATEGORY``, compared with the first category.
            Standard errors are those of a Laplace approximation and include the spread of members.

        Raises
        ------
        ValueError
            As for `variance_shares`.

        Notes
        -----
        Errors are those of predicting a random effect, "C22" of Henderson, "Best linear unbiased
        estimation and prediction under a selection model", Biometrics 1975. They do not include
        that the covariance of embeddings is itself estimated.

        Examples
        --------
        >>> from skmtl import MultiTaskHypernetRegressor
        >>> from skmtl.datasets import make_cubic
        >>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
        >>> model = MultiTaskHypernetRegressor(task_id="task", max_iter=50, random_state=0)
        >>> effects = model.fit(cubic.data[["task", "x"]], cubic.target).task_effects()
        >>> effects.columns.tolist()
        ['rows', 'level', 'level_se', 'shrinkage', 'slope_x', 'slope_x_se']
        """
        return task_effects(self, X, total)

    @available_if(_reports)
    def explain_task(self, task, other=None):
        """Explain the difference between a task and the average, or another task.

        Parameters
        ----------
        task : object
            Label of a task that was learned.
        other : object, optional
            Label of the task to compare it with; by default the average task, with the mean
            features of all rows, mean metadata and the mean embedding.

        Returns
        -------
        DataFrame
            Indexed by kind ("features", "metadata" or "task") and name. ``contribution``, in units
            of y: what the difference of the mean of this feature, of this column of metadata, or of
            the task itself beyond its metadata is responsible for. Contributions add up to the
            difference of the predictions for the mean rows of the two tasks. ``value`` and
            ``reference``: the means of columns of numbers of `task` and of `other`.

        Raises
        ------
        ValueError
            If a task was not learned, or as for `variance_shares`.

        Notes
        -----
        Contributions are Shapley values: means over all orders in which the differences are
        introduced one after the other; over 128 random orders with more than ten columns.

        Examples
        --------
        >>> from skmtl import MultiTaskHypernetRegressor
        >>> from skmtl.datasets import make_cubic
        >>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
        >>> model = MultiTaskHypernetRegressor(
        ...     task_id="task", metadata=cubic.metadata, max_iter=20, random_state=0
        ... )
        >>> model.fit(cubic.data, cubic.target).explain_task(3).index.tolist()[:2]
        [('features', 'x'), ('metadata', 'a')]
        """
        return explain_task(self, task, other)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class BaseClassifier(ClassifierMixin, IntervalPredictor):
    """Base class of classifiers: their classes, and what y may be."""

    _parameter_constraints = {
        **BaseMultiTaskEstimator._parameter_constraints,
        "base": [StrOptions(BASES), HasMethods(["fit", "predict_proba"]), None],
        "base_sees_task": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "task_classes": [StrOptions({"seen", "all"})],
    }

    def _target_settings(self):
        return {
            "kind": "classification",
            "class_weight": self.class_weight,
            "task_classes": self.task_classes,
            "task_types": self.task_types,
        }

    @property
    def classes_(self):
        """Sorted classes; in wide form a dict by task, or numbers of columns if all are 0 and 1."""
        check_is_fitted(self, "module_")
        targets = self._targets
        if not targets.wide:
            return targets.parts[0].classes
        if targets.multi_label:
            return multi_label_classes(targets.parts)
        return self.classes_per_task_

    @property
    def classes_per_task_(self):
        """Classes of each task, a dict by task."""
        check_is_fitted(self, "module_")
        if self.task_levels != "joint":
            raise AttributeError("with several levels of ids all of them may have all classes.")
        return {
            task: classes
            for task, classes in zip(self.tasks_, self._targets.classes_by_task(), strict=True)
            if classes is not None
        }

    def score(self, X, y, sample_weight=None):
        """Compute the accuracy.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        y : array-like of shape (n,) or (n, n_tasks)
            Labels; in wide form missing ones are left out.
        sample_weight : array-like of shape (n,), or (n, n_tasks) in wide form, optional
            Weights of the rows.

        Returns
        -------
        float
            In wide form the mean over tasks: the coefficient of determination of numbers, the
            accuracy of classes.
        """
        check_is_fitted(self, "module_")
        if self._targets.wide:
            return self._wide_score(X, y, sample_weight)
        return super().score(X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # several columns of y are tasks if there is no other column that says so
        tags.target_tags.multi_output = self.task_id is None
        return tags
