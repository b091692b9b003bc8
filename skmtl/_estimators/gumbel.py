"""`GumbelMatrixRegressor` and `GumbelMatrixClassifier`: learn which components each task uses.

Their parameters and documentation; the architecture is `skmtl.architectures.GumbelMatrix`.
"""

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.allocations import Allocations
from skmtl._estimators.bases import BaseClassifier, BaseRegressor
from skmtl._estimators.docs import CLASSIFIER_ATTRIBUTES, SHARED_ATTRIBUTES, document
from skmtl._sklearn_compat import StrOptions
from skmtl.architectures import GumbelMatrix

PARAMETERS = """
metadata : list of str or int, DataFrame, or None, default=None
    Metadata of tasks, from which the allocation is computed as well: columns of X that are
    constant within each task, or a table with one row per task, indexed by task id; in wide form
    by column of y. They are not features of the rows.
early_stopping : bool or "refit", default=True
    As for the other estimators: whether the validation loss stops training, with "refit" followed
    by training on all rows.
learning_rate_init : float, default=5e-3
    Learning rate of Adam; that of the allocation is `router_multiplier` times as high.
max_iter : int, default=300
    Epochs at most.
inference : {"most_likely", "sampled"}, default="most_likely"
    Whether ``predict`` uses the most likely allocation, or draws one by the probabilities: the
    same one in every call if `random_state` is an int.
unseen_tasks : {"error", "average"}, default="error"
    What to do in ``predict`` with a task that was never seen, without metadata: raise an
    error that lists it, or use the components and the head that tasks have on average. With
    metadata it is always predicted, by the allocation that its metadata give.
"""
ATTRIBUTES = (
    SHARED_ATTRIBUTES
    + """
allocations_ : list of DataFrame
    Which task uses which component, a table of 0 and 1 for each layer; with several members the
    columns have two levels, member and component.
allocation_probabilities_ : list of DataFrame
    The probabilities of these allocations.
allocation_history_ : DataFrame
    Those probabilities in the course of training: a row per member, epoch and task, a column per
    layer and component.
task_embeddings_ : DataFrame
    The allocations of all layers next to each other, one row per task.
task_similarity_ : DataFrame
    Cosine similarity of these rows for every pair of tasks, mean over members.
active_fraction_ : float
    Share of the connections that are on.
"""
)
CONSTRAINTS = {
    **GumbelMatrix._parameter_constraints,
    "inference": [StrOptions({"most_likely", "sampled"})],
}


def learned(method):
    """Return a property that asks the allocations of a fitted estimator."""

    def ask(estimator):
        check_is_fitted(estimator, "module_")
        return method(Allocations(estimator.module_, estimator.tasks_))

    return property(ask, doc=method.__doc__)


def networks(estimator, module):
    """Return the module that predicts: as trained, or with allocations drawn once per call."""
    if estimator.inference == "most_likely":
        return module
    generator = check_random_state(estimator.random_state)
    seeds = generator.randint(np.iinfo(np.int32).max, size=module.n_members)
    return module.sampled(seeds.tolist())


@document(PARAMETERS, architecture=GumbelMatrix, attributes=ATTRIBUTES)
class GumbelMatrixRegressor(BaseRegressor):
    """Regression for many tasks that learns which of them share which parts of a network.

    The network consists of layers, each of several components. Every task uses a subset of the
    components of each layer, and the subsets are learned together with the weights: related tasks
    come to share components, tasks that disturb each other part. The learned subsets say which
    tasks are alike.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    MultiTaskHypernetRegressor : A shared network writes one for each task.
    skmtl.datasets.make_related_tasks : Tasks whose relatedness is known.

    Notes
    -----
    Section III of [1]_. In a layer with components f_c, task t has
    ``h_t(x) = sum_c z_tc f_c(x) / max(1, sum_c z_tc)``, nothing but zeros if all are off. In
    training ``z_tc`` is drawn in every step, 1 with the probability ``p_tc`` that is learned, and
    its gradient is that of ``sigmoid((log p_tc - log(1 - p_tc) + g_1 - g_0) / temperature)`` with
    Gumbel noise g, the straight-through estimator; afterwards it is 1 where ``p_tc >= 0.5``.

    Departures from the paper: all tasks are trained in each step by default, the temperature
    falls with the planned length of training, weights are averaged, validated and the best are
    kept; each can be turned off. The difference of the two Gumbel variables is drawn as one
    logistic variable, which is the same.

    Features, metadata and targets are standardised inside; targets over all tasks. Identical rows
    are merged and their weights added up.

    References
    ----------
    .. [1] Maziarz, Kokiopoulou, Gesmundo, Sbaiz, Bartok and Berent, "Flexible multi-task networks
       by learning parameter allocation", ICLR workshop on neural architecture search, 2020.
    .. [2] Jang, Gu and Poole, "Categorical reparametrization with Gumbel-softmax", ICLR 2017.

    Examples
    --------
    Two pairs of tasks, each pair the same but for noise:

    >>> from skmtl import GumbelMatrixRegressor
    >>> from skmtl.datasets import make_related_tasks
    >>> pairs = make_related_tasks(
    ...     4, relatedness=1.0, n_groups=2, n_rows=100, n_features=8, n_sines=1, random_state=0
    ... )
    >>> model = GumbelMatrixRegressor(task_id="task", max_iter=30, random_state=0)
    >>> model.fit(pairs.data, pairs.target).predict(pairs.data).shape
    (400,)
    >>> model.allocations_[0].shape
    (4, 4)
    >>> model.task_similarity_.shape
    (4, 4)
    """

    _parameter_constraints = {**BaseRegressor._parameter_constraints, **CONSTRAINTS}
    _architecture_class = GumbelMatrix
    _member_parameters = ("inference",)

    def __init__(
        self,
        task_id=None,
        metadata=None,
        *,
        categorical_features="from_dtype",
        task_types="infer",
        loss="squared_error",
        quantile=0.5,
        task_sampling="rows",
        task_weighting="equal",
        record_affinity=False,
        layers=((32, 32), 32),
        n_components=4,
        components=None,
        heads="auto",
        activation="relu",
        allocation="learned",
        initial_probability=0.5,
        budget=1.0,
        budget_penalty=1.0,
        temperature="planned",
        router_multiplier="auto",
        task_schedule="all",
        inference="most_likely",
        alpha=1e-4,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=5e-3,
        clip_norm=None,
        weight_averaging=0.99,
        max_iter=300,
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change="auto",
        tol=1e-4,
        base=None,
        base_sees_task=True,
        unseen_tasks="error",
        hold_out_tasks=False,
        n_members=1,
        warm_start=False,
        device="auto",
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        self._store(locals())

    allocations_ = learned(Allocations.allocations)
    allocation_probabilities_ = learned(Allocations.probabilities)
    allocation_history_ = learned(Allocations.history)
    task_embeddings_ = learned(Allocations.embeddings)
    task_similarity_ = learned(Allocations.similarity)
    active_fraction_ = learned(Allocations.active_fraction)

    def _networks(self, module):
        return networks(self, module)


@document(PARAMETERS, architecture=GumbelMatrix, attributes=ATTRIBUTES + CLASSIFIER_ATTRIBUTES)
class GumbelMatrixClassifier(BaseClassifier):
    """Classification for many tasks that learns which of them share which parts of a network.

    As `GumbelMatrixRegressor`, for classes. In long form every task may have classes of its own;
    in wide form every column of y has, and some columns may hold numbers.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    GumbelMatrixRegressor : For numbers; its notes hold here too.
    skmtl.datasets.make_rotated_digits : Digits, some copies of which are rotated.

    Notes
    -----
    A head has one output for two classes and as many as there are classes otherwise; the outputs
    of classes that its task does not have are left out of the softmax. Members are averaged as
    probabilities. The method is that of [1]_; departures are in the notes of
    `GumbelMatrixRegressor`.

    References
    ----------
    .. [1] Maziarz, Kokiopoulou, Gesmundo, Sbaiz, Bartok and Berent, "Flexible multi-task networks
       by learning parameter allocation", ICLR workshop on neural architecture search, 2020.

    Examples
    --------
    >>> from skmtl import GumbelMatrixClassifier
    >>> from skmtl.datasets import make_rotated_digits
    >>> digits = make_rotated_digits(angles=(0, 90), n_rows=300, random_state=0)
    >>> model = GumbelMatrixClassifier(task_id="task", max_iter=10, random_state=0)
    >>> model.fit(digits.data, digits.target).predict(digits.data).shape
    (600,)
    >>> model.active_fraction_ <= 1
    True
    """

    _parameter_constraints = {**BaseClassifier._parameter_constraints, **CONSTRAINTS}
    _architecture_class = GumbelMatrix
    _member_parameters = ("inference",)

    def __init__(
        self,
        task_id=None,
        metadata=None,
        *,
        categorical_features="from_dtype",
        task_types="infer",
        class_weight=None,
        task_classes="seen",
        task_sampling="rows",
        task_weighting="equal",
        record_affinity=False,
        layers=((32, 32), 32),
        n_components=4,
        components=None,
        heads="auto",
        activation="relu",
        allocation="learned",
        initial_probability=0.5,
        budget=1.0,
        budget_penalty=1.0,
        temperature="planned",
        router_multiplier="auto",
        task_schedule="all",
        inference="most_likely",
        alpha=1e-4,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=5e-3,
        clip_norm=None,
        weight_averaging=0.99,
        max_iter=300,
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change="auto",
        tol=1e-4,
        base=None,
        base_sees_task=True,
        unseen_tasks="error",
        hold_out_tasks=False,
        n_members=1,
        warm_start=False,
        device="auto",
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        self._store(locals())

    allocations_ = learned(Allocations.allocations)
    allocation_probabilities_ = learned(Allocations.probabilities)
    allocation_history_ = learned(Allocations.history)
    task_embeddings_ = learned(Allocations.embeddings)
    task_similarity_ = learned(Allocations.similarity)
    active_fraction_ = learned(Allocations.active_fraction)

    def _networks(self, module):
        return networks(self, module)
