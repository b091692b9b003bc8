"""`TaskGrouper`: estimates gains, selects groups, and trains one estimator for each of them."""

import time
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.validation import validate_data

from skmtl._data.messages import label_text
from skmtl._estimators.base import BaseMultiTaskEstimator
from skmtl._estimators.multi_task import MultiTaskRegressor
from skmtl._estimators.unchanged import unchanged_on_failure
from skmtl._persistence import checkpointing
from skmtl._sklearn_compat import HasMethods, Interval, StrOptions
from skmtl.architectures import SharedBottom
from skmtl.grouping._base import BaseGrouper
from skmtl.grouping._check import choose_and_check
from skmtl.grouping._data import group_data
from skmtl.grouping._estimate import candidate_groups, estimate_with_trainer, known_gains
from skmtl.grouping._group_models import train_groups
from skmtl.grouping._trainer import make_trainer
from skmtl.grouping.gains import GAIN_ESTIMATORS, GainEstimator

# parameters that are passed on
_TRAINING = ("cv", "n_repeats", "task_encoding", "cache_dir", "scoring", "n_jobs", "max_members")
_ESTIMATION = ("max_groups", "metadata", "time_budget")


class TaskGrouper(BaseGrouper):
    r"""Find out which tasks to train together, and train one estimator for each such group.

    ``fit`` estimates the gain of each task in groups of tasks, selects the groups with the largest
    mean gain, and trains an estimator for each on all rows; ``predict`` uses for each task the
    group that serves it.

    Parameters
    ----------
    estimator : estimator, default=None
        One of this package, whose groups train in parallel, or any of scikit-learn; in wide form
        one of several outputs, trained on the rows that have all labels of a group. None is a
        :class:`skmtl.MultiTaskRegressor`.
    max_groups : int, default=3
        Groups at most, from 1 to the number of tasks.
    gains : str, GainEstimator, callable or DataFrame, default="auto"
        A :class:`~skmtl.grouping.GainEstimator` or its name, a function, as in `estimate_gains`, or
        a table of known gains. "exhaustive" trains all groups; "hoa" trains all pairs and averages
        them; "tag" averages affinities of one training, "linearised" fits linear models to its
        gradients, both of estimators of this package; "mtgnet" learns actively; "random" trains
        nothing. "auto" is "exhaustive" if that fits into `time_budget`, else "mtgnet".
    selection : {"exact", "beam"}, default="exact"
        How groups are selected, see :func:`~skmtl.grouping.select_groups`.
    max_cost : float, default=None
        Bound on the total cost of the groups; needs `group_cost`.
    group_cost : callable, default=None
        Maps a group, a tuple of task labels, to its cost.
    candidates : list of tuple, default=None
        Groups that may be selected. By default all groups of up to 11 tasks, or a random sample of
        the groups of more tasks.
    cv : int, splitter, iterable or None, default=4
        Validation rows, on which the gains of all groups are computed; early stopping uses other
        rows. An int is a number of folds, in long form of each task; None is one split with a
        quarter of the rows, which gives neither lower bounds nor a check of the groups.
    scoring : str or callable, default=None
        Score of a task, as for :func:`skmtl.metrics.per_task_score`. By default the squared error
        of numbers, and the log loss of classes, or their accuracy without ``predict_proba``.
    n_repeats : int, default=1
        Trainings of each group with different random states, whose scores are averaged.
    time_budget : float, default=60.0
        Seconds of ``gains="auto"``.
    task_id : str, int, list of these, or None, default=None
        The column of X that says which task a row belongs to. None is the `task_id` of
        `estimator`, or wide form.
    task_encoding : {"onehot", "drop"}, default="onehot"
        In long form, what replaces the task id for an estimator that is not of this package.
    metadata : DataFrame, default=None
        Features of tasks, one row per task, for MTG-Net. `predict_gains` predicts the gains of new
        tasks in it.
    compare : bool, default=True
        Whether to train each task alone and all together as well, for `report`.
    cache_dir : path-like, default=None
        Folder with the scores of every fit of a group, and the state of a block in training about
        every 30 seconds: after a crash the same call, on the same data, goes on from there. Fits
        on other data, or with other settings, may share it, and it may be deleted. It takes the
        place of `checkpoint_dir` of the estimator; see :doc:`/saving`.
    n_jobs : int, default=None
        Processes that train groups in parallel.
    max_members : int or "auto", default="auto"
        Groups that train as members of one network at most, with an estimator of this package.
    random_state : int, RandomState instance or None, default=None
        Decides validation rows, random numbers of the gain estimator, and the random states of
        estimators that have none.
    verbose : int, default=0
        1 shows a progress bar, if the output is a terminal.

    Attributes
    ----------
    groups_ : list of tuple
        The selected groups.
    assignment_ : Series
        The group that serves each task.
    gains_ : DataFrame of shape (n_candidates, n_tasks)
        Gains, estimated or measured; NaN where a task is not in the group.
    gain_bounds_ : DataFrame of shape (n_candidates, n_tasks)
        Lower bounds of `gains_`, by which groups are selected.
    checked_gains_ : DataFrame of shape (n_folds, n_tasks) or None
        Gains on the rows of each fold, of groups that were selected without them, if checked.
    measured_ : Series
        Whether each row of `gains_` was measured.
    affinity_ : DataFrame
        If the gain estimator uses it: row is the task that steps, column the one that is affected.
    gains_method_ : str
        Name of the gain estimator, also with ``gains="auto"``.
    gain_model_ : MTGNet or None
        The fitted model that predicts gains of other groups, if the gain estimator has one.
    n_procedures_ : int
        Groups that were trained to estimate the gains, tasks alone included, without the check.
    seconds_ : Series
        Time spent on gains, selection and training of the groups.
    estimators_ : list of estimator
        One for each of `groups_`.
    tasks_ : Index
        Task labels.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray
        Their names, if all are strings.

    See Also
    --------
    skmtl.grouping.select_groups : The selection alone, from any table of gains.
    skmtl.grouping.estimate_gains : The estimation alone, with any procedure.

    Notes
    -----
    The gain of task t in group g is :math:`(L_t(\{t\}) - L_t(g)) / L_t(\{t\})` with losses L on
    the validation rows; for scores of which larger is better, it is the increase relative to the
    absolute score. A task alone gains 0. The groups with the largest mean gain are selected, where
    each task is served by the group in which it gains most [1]_ [2]_. "tag" compares affinities
    instead, and never selects a task alone [3]_.

    The largest of many noisy gains is too large. So groups are selected by gains minus a standard
    error over folds, pooled over groups of a size with the task. The choice is then checked: it is
    repeated without each fold and scored on its rows, with `max_groups` groups, half as many, and
    so on. The best number is used. If its gain is below its standard error, tasks are trained alone
    with a ``HarmfulGroupsWarning``, or it names the groups that `max_groups` forces.

    Groups train in parallel with the result of training each alone: bitwise identical in wide form,
    and in long form if tasks have the same numbers of rows, otherwise up to rounding.

    References
    ----------
    .. [1] Song et al. (2022), see :class:`~skmtl.grouping.MTGNet`.
    .. [2] Standley et al. (2020), see :class:`~skmtl.grouping.HighOrder`.
    .. [3] Fifty et al. (2021), see :class:`~skmtl.grouping.Affinity`.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from skmtl import TaskGrouper
    >>> from skmtl.datasets import make_related_tasks
    >>> pairs = make_related_tasks(4, 1.0, 20, n_sines=0, n_groups=2, n_rows=40, random_state=0)
    >>> grouper = TaskGrouper(
    ...     LinearRegression(), max_groups=2, task_id="task", task_encoding="drop", random_state=0
    ... )
    >>> grouper.fit(pairs.data, pairs.target).groups_
    [(0, 1), (2, 3)]
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "max_groups": [Interval(Integral, None, None, closed="neither")],
        "gains": [StrOptions({"auto", *GAIN_ESTIMATORS}), GainEstimator, callable, pd.DataFrame],
        "selection": [StrOptions({"exact", "beam"})],
        "max_cost": [Interval(Real, 0, None, closed="neither"), None],
        "group_cost": [callable, None],
        "candidates": [list, tuple, None],
        "cv": ["cv_object"],
        "scoring": [str, callable, None],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "time_budget": [Interval(Real, 0, None, closed="left")],
        "task_id": [str, Integral, "array-like", None],
        "task_encoding": [StrOptions({"onehot", "drop"})],
        "metadata": [pd.DataFrame, None],
        "compare": ["boolean"],
        "cache_dir": [str, HasMethods(["__fspath__"]), None],
        "n_jobs": [Integral, None],
        "max_members": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator=None,
        max_groups=3,
        *,
        gains="auto",
        selection="exact",
        max_cost=None,
        group_cost=None,
        candidates=None,
        cv=4,
        scoring=None,
        n_repeats=1,
        time_budget=60.0,
        task_id=None,
        task_encoding="onehot",
        metadata=None,
        compare=True,
        cache_dir=None,
        n_jobs=None,
        max_members="auto",
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.max_groups = max_groups
        self.gains = gains
        self.selection = selection
        self.max_cost = max_cost
        self.group_cost = group_cost
        self.candidates = candidates
        self.cv = cv
        self.scoring = scoring
        self.n_repeats = n_repeats
        self.time_budget = time_budget
        self.task_id = task_id
        self.task_encoding = task_encoding
        self.metadata = metadata
        self.compare = compare
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.max_members = max_members
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self._estimator())
        tags.estimator_type = inner.estimator_type
        tags.regressor_tags, tags.classifier_tags = inner.regressor_tags, inner.classifier_tags
        tags.target_tags.required = True
        tags.target_tags.multi_output = self._task_id() is None
        tags.target_tags.single_output = self._task_id() is not None
        return tags

    def _estimator(self):
        if self.estimator is not None:
            return self.estimator
        return MultiTaskRegressor(SharedBottom(), task_id=self.task_id)

    def _task_id(self):
        if self.task_id is not None:
            return self.task_id
        estimator = self._estimator()
        return estimator.task_id if isinstance(estimator, BaseMultiTaskEstimator) else None

    def fit(self, X, y, sample_weight=None):
        """Estimate gains, select groups, and train an estimator for each.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Features; in long form with the task id.
        y : array-like of shape (n,) or (n, n_tasks)
            Labels. In wide form every column is a task, and NaN is a missing label.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If there is only one task, or if the data, a parameter or `cache_dir` cannot be used.
        """
        with unchanged_on_failure(self):
            self._validate_params()
            with checkpointing(self.cache_dir, in_blocks=True, optional=True):
                return self._fit(X, y, sample_weight)

    def _fit(self, X, y, sample_weight):
        if y is None:
            raise ValueError("TaskGrouper requires y to be passed, but the target y is None.")
        data = self._data(X, y, sample_weight)
        validate_data(self, data.X, reset=True, skip_check_array=True)
        self._check_tasks(data.tasks)
        generator = check_random_state(self.random_state)
        known = isinstance(self.gains, pd.DataFrame)
        candidates = None if known else candidate_groups(self.candidates, data.tasks, generator)
        settings = {"show": bool(self.verbose)} | {name: getattr(self, name) for name in _TRAINING}
        trainer = make_trainer(clone(self._estimator()), data, generator, **settings)
        started = time.perf_counter()
        if known:
            result = known_gains(self.gains, data.tasks)
        else:
            settings = {name: getattr(self, name) for name in _ESTIMATION}
            result = estimate_with_trainer(self.gains, trainer, candidates, generator, **settings)
        estimated, costs = time.perf_counter(), None
        if self.group_cost is not None:
            costs = [self.group_cost(group) for group in result.gains.index]
        limits = {"method": self.selection, "costs": costs, "max_cost": self.max_cost}
        choice, checked_gains = choose_and_check(result, trainer, self.max_groups, **limits)
        selected, groups, assignment = time.perf_counter(), choice.groups, choice.assignment
        self._models = train_groups(trainer, groups, assignment, self.compare)
        spent = np.diff([started, estimated, selected, time.perf_counter()])
        self.seconds_ = pd.Series(spent, index=["gains", "selection", "training"], name="seconds")
        self.tasks_, self.groups_, self.assignment_ = data.tasks, groups, assignment
        self.estimators_ = self._models.estimators
        self.gains_, self.measured_, self.gain_model_ = result.gains, result.measured, result.model
        self.gain_bounds_, self.checked_gains_ = result.bounds, checked_gains
        self.gains_method_, self.n_procedures_ = result.method, result.n_procedures
        if result.affinity is not None:
            self.affinity_ = result.affinity
        return self

    def _data(self, X, y, sample_weight):
        task_id, estimator = self._task_id(), self._estimator()
        if isinstance(estimator, BaseMultiTaskEstimator) and estimator.task_id != task_id:
            raise ValueError(
                f"task_id={task_id!r} here, but the estimator has task_id={estimator.task_id!r}; "
                "give them the same."
            )
        for name in ("callbacks", "warm_start"):
            if isinstance(estimator, BaseMultiTaskEstimator) and getattr(estimator, name):
                raise ValueError(
                    f"{name} of the estimator cannot be used: TaskGrouper trains many groups, in "
                    f"parallel and from the start. Pass an estimator without {name}."
                )
        return group_data(X, y, sample_weight, task_id)

    def _check_tasks(self, tasks):
        if len(tasks) < 2:
            raise ValueError(
                f"there is one task only, {label_text(tasks[0])}, and nothing to group; fit the "
                "estimator itself."
            )
        if not 1 <= self.max_groups <= len(tasks):
            raise ValueError(
                f"max_groups must be from 1 to the number of tasks, {len(tasks)}; got "
                f"{self.max_groups}."
            )
        if (self.group_cost is None) != (self.max_cost is None):
            raise ValueError("group_cost and max_cost must be given together.")
