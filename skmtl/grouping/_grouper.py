"""`TaskGrouper`: estimates gains, selects groups, and trains one estimator for each of them."""

import time
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import validate_data

from skmtl._estimators.base import BaseMultiTaskEstimator
from skmtl._estimators.multi_task import MultiTaskRegressor
from skmtl.grouping._data import LongData, WideData
from skmtl.grouping._estimate import METHODS
from skmtl.grouping._gain_tables import parse_groups
from skmtl.grouping._gains import GainsMixin
from skmtl.grouping._selection import assign_tasks, select_groups
from skmtl.grouping._serving import ServingMixin


class TaskGrouper(GainsMixin, ServingMixin, MetaEstimatorMixin, BaseEstimator):
    r"""Find out which tasks to train together, and train one estimator for each such group.

    ``fit`` estimates what each task gains in groups of tasks, selects the groups with the largest
    mean gain, and trains an estimator for each on all rows; ``predict`` sends each task to the
    group that serves it.

    Parameters
    ----------
    estimator : estimator, default=None
        One of this package, whose groups train side by side, or any of scikit-learn; in wide form
        one of several outputs, trained on the rows that have all labels of a group. By default a
        :class:`skmtl.MultiTaskRegressor` with a shared bottom.
    max_groups : int, default=3
        Groups at most, from 1 to the number of tasks.
    gains : str, MTGNet, callable or DataFrame, default="auto"
        How gains are estimated. "exhaustive": all groups are trained; "hoa": all pairs, averaged;
        "tag": affinities of one run, for estimators of this package; "mtgnet" or an
        :class:`~skmtl.grouping.MTGNet`: active learning; "random": not at all. "auto" is
        "exhaustive" if all groups fit into `time_budget`, else "mtgnet". A function of the
        procedure and the candidates, as in :func:`~skmtl.grouping.estimate_gains`, or a table of
        known gains.
    selection : {"exact", "beam"}, default="exact"
        How groups are selected, see :func:`~skmtl.grouping.select_groups`.
    max_cost : float, default=None
        Bound on the total cost of the groups; needs `group_cost`.
    group_cost : callable, default=None
        Maps a group, a tuple of task labels, to its cost.
    candidates : list of tuple, default=None
        Groups that may be selected, by the labels of their tasks. By default all groups of up to
        11 tasks; of more tasks some, drawn at random.
    rounds : int, default=None
        Rounds of MTG-Net; by default as many groups are measured as there are pairs.
    cv : int, splitter or iterable, default=None
        Which rows validate: those on which the gains are computed. They are the same for all
        groups; early stopping uses others. By default a quarter of the rows, in long form of
        each task; an int is a number of folds.
    scoring : str or callable, default=None
        Score of a task, as for :func:`skmtl.metrics.per_task_score`. By default the squared error
        of numbers, and the log loss of classes or their accuracy if there are no probabilities.
    n_repeats : int, default=1
        Trainings of each group with different random states, whose scores are averaged.
    time_budget : float, default=60.0
        Seconds of ``gains="auto"``.
    task_id : str, int, list of these, or None, default=None
        The column of X that says which task a row belongs to; None is wide form, or what
        `estimator` says.
    task_encoding : {"onehot", "drop"}, default="onehot"
        In long form, what an estimator that is not of this package gets instead of the task id.
    metadata : DataFrame, default=None
        Facts about tasks, one row per task, for MTG-Net. With rows of tasks that are not in the
        data, their gains can be predicted with `predict_gains`.
    compare : bool, default=True
        Whether to train each task alone and all together as well, so that `report` compares.
    cache_dir : path-like, default=None
        Folder that keeps the scores of every group that was trained, so that an interrupted
        ``fit`` goes on where it stopped.
    n_jobs : int, default=None
        Processes that train groups side by side.
    max_members : int or "auto", default="auto"
        Groups that train as members of one network at most, with an estimator of this package.
    random_state : int, RandomState instance or None, default=None
        Decides validation rows, what is drawn, and the random states of estimators that have none.
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
    measured_ : Series
        Whether each row of `gains_` was measured.
    affinity_ : DataFrame
        With ``gains="tag"``: row is the task that steps, column the one that is affected.
    gains_method_ : str
        What ``gains="auto"`` came to.
    mtgnet_ : MTGNet
        The meta learner, if there is one.
    n_procedures_ : int
        Groups that were trained to estimate the gains, tasks alone included.
    seconds_ : Series
        Time spent on gains, selection and training of the groups.
    estimators_ : list of estimator
        One for each of `groups_`.
    tasks_ : Index
        Task labels.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray
        Their names, if all are strings.

    See Also
    --------
    skmtl.grouping.select_groups : The selection alone, from any table of gains.
    skmtl.grouping.estimate_gains : The estimation alone, with any procedure.

    Notes
    -----
    The gain of task t in group g is :math:`(L_t(\{t\}) - L_t(g)) / L_t(\{t\})` with losses L on
    the validation rows; with scores that are to be large, the rise relative to the size of the
    score. That of a task alone is 0. Groups are chosen by the largest mean gain, each task
    being served by the group in which it gains most [1]_ [2]_. "tag" compares affinities instead,
    and never leaves a task alone [3]_.

    Gains of selected groups look better on the validation rows than they are, for they were
    selected there: look at `report` on rows that ``fit`` has not seen.

    A group's result is that of training it alone: in wide form, and in long form if tasks have
    the same numbers of rows, to the bit, otherwise up to rounding.

    References
    ----------
    .. [1] X. Song, S. Zheng, W. Cao, J. Yu and J. Bian, "Efficient and effective multi-task
       grouping via meta learning on task combinations", NeurIPS 2022.
    .. [2] T. Standley, A. Zamir, D. Chen, L. Guibas, J. Malik and S. Savarese, "Which tasks should
       be learned together in multi-task learning?", ICML 2020.
    .. [3] C. Fifty, E. Amid, Z. Zhao, T. Yu, R. Anil and C. Finn, "Efficiently identifying task
       groupings for multi-task learning", NeurIPS 2021.

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
        "gains": [
            StrOptions({"auto", *METHODS}),
            HasMethods(["predict", "encode"]),
            callable,
            pd.DataFrame,
        ],
        "selection": [StrOptions({"exact", "beam"})],
        "max_cost": [Interval(Real, 0, None, closed="neither"), None],
        "group_cost": [callable, None],
        "candidates": [list, tuple, None],
        "rounds": [Interval(Integral, 0, None, closed="left"), None],
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
        rounds=None,
        cv=None,
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
        self.rounds = rounds
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
        """The estimator, or the default one."""
        if self.estimator is not None:
            return self.estimator
        return MultiTaskRegressor(task_id=self.task_id)

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
            If there is one task only, if `max_groups` is not between 1 and the number of tasks, if
            the estimator cannot learn several outputs, if `cache_dir` holds results of other data
            or settings, or if a table cannot be used; the message says what to change.
        """
        self._validate_params()
        if y is None:
            raise ValueError("TaskGrouper requires y to be passed, but the target y is None.")
        data = self._data(X, y, sample_weight)
        validate_data(self, data.X, reset=True, skip_check_array=True)
        self._check_tasks(data)
        generator = check_random_state(self.random_state)
        candidates = self._candidates(data, generator)
        trainer = self._trainer(data, generator)
        started = time.perf_counter()
        self._estimate(trainer, candidates, generator)
        estimated = time.perf_counter()
        costs = None
        if self.group_cost is not None:
            costs = [self.group_cost(group) for group in self.gains_.index]
        self.groups_ = select_groups(
            self.gains_,
            self.max_groups,
            method=self.selection,
            costs=costs,
            max_cost=self.max_cost,
        )
        self.assignment_ = assign_tasks(self.gains_, self.groups_)
        # a group that serves no task need not be trained
        self.groups_ = [group for group in self.groups_ if group in set(self.assignment_)]
        selected = time.perf_counter()
        self._train(trainer, data)
        spent = np.diff([started, estimated, selected, time.perf_counter()])
        self.seconds_ = pd.Series(spent, index=["gains", "selection", "training"], name="seconds")
        return self

    def _data(self, X, y, sample_weight):
        task_id, estimator = self._task_id(), self._estimator()
        ours = isinstance(estimator, BaseMultiTaskEstimator)
        if ours and estimator.task_id != task_id:
            raise ValueError(
                f"task_id={task_id!r} here, but the estimator has task_id={estimator.task_id!r}; "
                "give them the same."
            )
        if task_id is not None:
            return LongData(X, y, sample_weight, task_id)
        if np.ndim(y) != 2:
            raise ValueError(
                f"y has {np.ndim(y)} dimension(s), so that there is one task only, and nothing to "
                "group. Pass a y with a column for every task, or task_id='...' to name the column "
                "of X that says which task a row belongs to."
            )
        return WideData(X, y, sample_weight)

    def _check_tasks(self, data):
        n_tasks = len(data.tasks)
        if n_tasks < 2:
            raise ValueError(
                f"there is one task only, {data.tasks[0]!r}, and nothing to group; fit the "
                "estimator itself."
            )
        if not 1 <= self.max_groups <= n_tasks:
            raise ValueError(
                f"max_groups must be from 1 to the number of tasks, {n_tasks}; got "
                f"{self.max_groups}."
            )
        if (self.group_cost is None) != (self.max_cost is None):
            raise ValueError("group_cost and max_cost must be given together.")
        estimator = self._estimator()
        ours = isinstance(estimator, BaseMultiTaskEstimator)
        if (
            not ours
            and self._task_id() is None
            and not get_tags(estimator).target_tags.multi_output
        ):
            raise ValueError(
                f"{type(estimator).__name__} cannot learn several outputs, so that it cannot train "
                "tasks together. Use one that can, such as RandomForestRegressor, "
                "MultiTaskElasticNet or an estimator of skmtl; or bring the table to long form "
                "and name its task_id."
            )
        if not ours and isinstance(self.gains, str) and self.gains == "tag":
            raise ValueError(
                "gains='tag' compares gradients, which only estimators of skmtl record; "
                f"{type(estimator).__name__} has none. Use 'hoa', 'mtgnet' or 'exhaustive'."
            )

    def _train(self, trainer, data):
        """Train the selected groups on all rows, and what they are compared with."""
        groups = parse_groups(self.groups_, data.tasks)
        n_tasks = len(data.tasks)
        others = np.zeros((0, n_tasks), dtype=bool)
        if self.compare:
            others = np.vstack([np.eye(n_tasks, dtype=bool), np.ones((1, n_tasks), dtype=bool)])
        wanted, places = np.unique(np.vstack([groups, others]), axis=0, return_inverse=True)
        places = places.reshape(-1)
        models = trainer.models(wanted)
        self.estimators_ = [models[k] for k in places[: len(groups)]]
        self._alone = [models[k] for k in places[len(groups) :][:n_tasks]]
        self._together = models[places[-1]] if self.compare else None
        self._from_frame, self._wide = data.from_frame, isinstance(data, WideData)
        self._places = {group: k for k, group in enumerate(self.groups_)}
