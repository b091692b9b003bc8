"""A network of its own for every task."""

from skmtl._estimators.docs import CLASSIFIER_ATTRIBUTES, SHARED_ATTRIBUTES, document
from skmtl._estimators.layers import layer_sizes
from skmtl._estimators.predictors import MultiTaskClassifier, MultiTaskRegressor
from skmtl.baselines._common import CONSTRAINTS
from skmtl.baselines._docs import BASELINE_PARAMETERS
from skmtl.nn import SharedBottomNetwork

OWN_CONSTRAINTS = {
    **CONSTRAINTS,
}


class IndependentTasksMixin:
    """A network for each task; nothing is shared."""

    def _build_module(self, n_tasks, n_features, n_metadata, n_outputs, seeds):
        return SharedBottomNetwork(
            n_tasks,
            n_features + n_metadata,
            n_outputs,
            seeds=seeds,
            hidden_layer_sizes=(),
            head_layer_sizes=layer_sizes(self, "hidden_layer_sizes"),
            activation=self.activation,
        )


@document(BASELINE_PARAMETERS, attributes=SHARED_ATTRIBUTES)
class IndependentTasksRegressor(IndependentTasksMixin, MultiTaskRegressor):
    """Regression baseline: a network of its own for every task.

    Nothing is shared but the scales of the columns: what a task gains in a multi-task method, it
    gains over this. The networks train side by side in one run.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    IndependentTasksClassifier : The same for classes.
    skmtl.MultiTaskHypernetRegressor : A shared network writes one for each task.

    Notes
    -----
    Task t is predicted by ``f(x; theta_t)``, where no two tasks have a parameter in common. They
    do share the rest of the training: learning rate, number of steps, and the epoch whose weights
    are kept, which is the best one for all tasks together.

    A task that was never seen is predicted by the mean of the outputs that the networks of all
    trained tasks have for its row, its own facts included.

    References
    ----------
    .. [1] Caruana, "Multitask learning", Machine Learning 28, 1997: single task learning.

    Examples
    --------
    >>> from skmtl.baselines import IndependentTasksRegressor
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = IndependentTasksRegressor(
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
        hidden_layer_sizes=(32, 32, 32),
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
        self.hidden_layer_sizes = hidden_layer_sizes
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


@document(BASELINE_PARAMETERS, attributes=SHARED_ATTRIBUTES + CLASSIFIER_ATTRIBUTES)
class IndependentTasksClassifier(IndependentTasksMixin, MultiTaskClassifier):
    """Classification baseline: a network of its own for every task.

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
    IndependentTasksRegressor : For numbers; its notes hold here too.
    skmtl.MultiTaskHypernetClassifier : A shared network writes one for each task.

    Notes
    -----
    There is one output for two classes and one for each class otherwise; the outputs of classes
    that a task does not have are left out of the softmax. For a task that was never seen, outputs
    are averaged before the softmax. The method is that of [1]_; departures are in the notes of
    `IndependentTasksRegressor`.

    References
    ----------
    .. [1] Caruana, "Multitask learning", Machine Learning 28, 1997: single task learning.

    Examples
    --------
    >>> from skmtl.baselines import IndependentTasksClassifier
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> positive = cubic.target.gt(0).map({True: "yes", False: "no"})
    >>> model = IndependentTasksClassifier(
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
        hidden_layer_sizes=(32, 32, 32),
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
        self.hidden_layer_sizes = hidden_layer_sizes
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
