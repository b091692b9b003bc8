"""Heads tied by a learned prior (MRN)."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, StrOptions

from skmtl._estimators.docs import CLASSIFIER_ATTRIBUTES, SHARED_ATTRIBUTES, document
from skmtl._estimators.layers import layer_sizes
from skmtl._estimators.predictors import MultiTaskClassifier, MultiTaskRegressor
from skmtl.baselines._common import CONSTRAINTS, HEAD_CONSTRAINTS
from skmtl.baselines._docs import BASELINE_PARAMETERS, RELATION_PARAMETERS
from skmtl.nn import RelationNetwork

OWN_CONSTRAINTS = {
    **CONSTRAINTS,
    **HEAD_CONSTRAINTS,
    "relation_alpha": [Interval(Real, 0, None, closed="left")],
    "relation_interval": [Interval(Integral, 1, None, closed="left")],
    "relations": [StrOptions({"tasks", "all"})],
}


class MultilinearRelationMixin:
    """A trunk for all tasks, and heads that are tied by a tensor normal prior."""

    _member_parameters = ("relation_alpha",)

    def _build_module(self, n_tasks, n_features, n_metadata, n_outputs, seeds):
        return RelationNetwork(
            n_tasks,
            n_features + n_metadata,
            n_outputs,
            seeds=seeds,
            hidden_layer_sizes=layer_sizes(self, "hidden_layer_sizes"),
            head_layer_sizes=layer_sizes(self, "head_layer_sizes"),
            activation=self.activation,
            relation_alpha=self.relation_alpha,
            relation_interval=self.relation_interval,
            relations=self.relations,
        )


@document(BASELINE_PARAMETERS, RELATION_PARAMETERS, attributes=SHARED_ATTRIBUTES)
class MultilinearRelationRegressor(MultilinearRelationMixin, MultiTaskRegressor):
    """Regression baseline: heads tied by a learned prior (MRN).

    A shared trunk with a head for each task, as in hard parameter sharing. The weights of the
    heads have a common prior, whose covariances between features, between outputs and between
    tasks are learned with them: what one task finds out about a feature, related ones believe.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    MultilinearRelationClassifier : The same for classes.
    skmtl.MultiTaskHypernetRegressor : A shared network writes one for each task.

    Notes
    -----
    The weights W of a layer of all heads, a tensor, have a tensor normal prior with covariances
    S_1 (inputs), S_2 (outputs) and S_3 (tasks). To the sum of the losses is added
    ``relation_alpha / 2 * vec(W)^T (S_1 x S_2 x S_3)^-1 vec(W)``, x being Kronecker's product, and
    every `relation_interval` steps covariances are estimated anew by the flip-flop algorithm,
    ``S_k = W_(k) (S_i x S_j)^-1 W_(k)^T / (D / D_k) + 0.001 I``, section 4 of [1]_. The biases of
    the heads are free.

    Departures: the text of [1]_ estimates all three (``relations="all"``), the code published with
    it only S_3, which is the default. Where a layer has more inputs than tasks times outputs, S_1
    is singular, and the weights that it whitens show no relations between tasks any more. Taken
    literally, ``relation_alpha=1``, the prior counts as one observation for each weight of a head;
    where these are as many as the rows, covariances and weights shrink each other. The default is
    a hundredth of it. The code of [2]_ stores precisions, and adds their update instead of
    replacing them.

    A task that was never seen is predicted by the mean of the outputs that the networks of all
    trained tasks have for its row, its own facts included.

    References
    ----------
    .. [1] Long, Cao, Wang and Yu, "Learning multiple tasks with multilinear relationship
       networks", NIPS 2017.
    .. [2] "Multi-task learning with hypernetworks and task metadata", under review, 2024.

    Examples
    --------
    >>> from skmtl.baselines import MultilinearRelationRegressor
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultilinearRelationRegressor(
    ...     task_id="task", metadata=cubic.metadata, max_iter=100, random_state=0
    ... )
    >>> model.fit(cubic.data, cubic.target).score(cubic.data, cubic.target) > 0.5
    True
    """

    _parameter_constraints = {
        **MultiTaskRegressor._parameter_constraints,
        **OWN_CONSTRAINTS,
    }

    def __init__(
        self,
        task_id=None,
        metadata=None,
        *,
        task_types="infer",
        loss="squared_error",
        quantile=0.5,
        task_sampling="rows",
        task_weighting="equal",
        record_affinity=False,
        relation_alpha=1e-2,
        relation_interval=100,
        relations="tasks",
        hidden_layer_sizes=(32, 32, 32),
        head_layer_sizes=(),
        activation="relu",
        alpha=1e-4,
        batch_size="auto",
        learning_rate_init=1.5e-3,
        weight_averaging=0.99,
        max_iter=1000,
        early_stopping="refit",
        validation_fraction=0.2,
        n_iter_no_change=50,
        tol=1e-4,
        unseen_tasks="error",
        n_members=1,
        warm_start=False,
        device="auto",
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        self.task_id = task_id
        self.metadata = metadata
        self.task_types = task_types
        self.loss = loss
        self.quantile = quantile
        self.task_sampling = task_sampling
        self.task_weighting = task_weighting
        self.record_affinity = record_affinity
        self.relation_alpha = relation_alpha
        self.relation_interval = relation_interval
        self.relations = relations
        self.hidden_layer_sizes = hidden_layer_sizes
        self.head_layer_sizes = head_layer_sizes
        self.activation = activation
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.weight_averaging = weight_averaging
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.unseen_tasks = unseen_tasks
        self.n_members = n_members
        self.warm_start = warm_start
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose


@document(
    BASELINE_PARAMETERS, RELATION_PARAMETERS, attributes=SHARED_ATTRIBUTES + CLASSIFIER_ATTRIBUTES
)
class MultilinearRelationClassifier(MultilinearRelationMixin, MultiTaskClassifier):
    """Classification baseline: heads tied by a learned prior (MRN).

    The same method for classes. In long form every task may have classes of its own; in wide form
    every column of y has, and some columns may hold numbers.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    MultilinearRelationRegressor : For numbers; its notes hold here too.
    skmtl.MultiTaskHypernetClassifier : A shared network writes one for each task.

    Notes
    -----
    There is one output for two classes and one for each class otherwise; the outputs of classes
    that a task does not have are left out of the softmax. For a task that was never seen, outputs
    are averaged before the softmax. The method is that of [1]_; departures are in the notes of
    `MultilinearRelationRegressor`.

    References
    ----------
    .. [1] Long, Cao, Wang and Yu, "Learning multiple tasks with multilinear relationship
       networks", NIPS 2017.

    Examples
    --------
    >>> from skmtl.baselines import MultilinearRelationClassifier
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> positive = cubic.target.gt(0).map({True: "yes", False: "no"})
    >>> model = MultilinearRelationClassifier(
    ...     task_id="task", metadata=cubic.metadata, max_iter=50, random_state=0
    ... )
    >>> model.fit(cubic.data, positive).score(cubic.data, positive) > 0.7
    True
    """

    _parameter_constraints = {
        **MultiTaskClassifier._parameter_constraints,
        **OWN_CONSTRAINTS,
    }

    def __init__(
        self,
        task_id=None,
        metadata=None,
        *,
        task_types="infer",
        class_weight=None,
        task_classes="seen",
        task_sampling="rows",
        task_weighting="equal",
        record_affinity=False,
        relation_alpha=1e-2,
        relation_interval=100,
        relations="tasks",
        hidden_layer_sizes=(32, 32, 32),
        head_layer_sizes=(),
        activation="relu",
        alpha=1e-4,
        batch_size="auto",
        learning_rate_init=1.5e-3,
        weight_averaging=0.99,
        max_iter=1000,
        early_stopping="refit",
        validation_fraction=0.2,
        n_iter_no_change=50,
        tol=1e-4,
        unseen_tasks="error",
        n_members=1,
        warm_start=False,
        device="auto",
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        self.task_id = task_id
        self.metadata = metadata
        self.task_types = task_types
        self.class_weight = class_weight
        self.task_classes = task_classes
        self.task_sampling = task_sampling
        self.task_weighting = task_weighting
        self.record_affinity = record_affinity
        self.relation_alpha = relation_alpha
        self.relation_interval = relation_interval
        self.relations = relations
        self.hidden_layer_sizes = hidden_layer_sizes
        self.head_layer_sizes = head_layer_sizes
        self.activation = activation
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.weight_averaging = weight_averaging
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.unseen_tasks = unseen_tasks
        self.n_members = n_members
        self.warm_start = warm_start
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose
