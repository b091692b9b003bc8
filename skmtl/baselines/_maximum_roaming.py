"""Each task uses a part of a shared trunk that changes."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from skmtl._estimators.docs import CLASSIFIER_ATTRIBUTES, SHARED_ATTRIBUTES, document
from skmtl._estimators.layers import layer_sizes
from skmtl._estimators.predictors import MultiTaskClassifier, MultiTaskRegressor
from skmtl.baselines._common import CONSTRAINTS, HEAD_CONSTRAINTS
from skmtl.baselines._docs import BASELINE_PARAMETERS, ROAMING_PARAMETERS
from skmtl.nn import RoamingNetwork

OWN_CONSTRAINTS = {
    **CONSTRAINTS,
    **HEAD_CONSTRAINTS,
    "active_fraction": [Interval(Real, 0, 1, closed="right")],
    "roaming_interval": [Interval(Integral, 1, None, closed="left")],
}


class MaximumRoamingMixin:
    """A trunk of which each task uses a part that roams, and a head for each."""

    def _build_module(self, n_tasks, n_features, n_metadata, n_outputs, seeds):
        return RoamingNetwork(
            n_tasks,
            n_features + n_metadata,
            n_outputs,
            seeds=seeds,
            hidden_layer_sizes=layer_sizes(self, "hidden_layer_sizes", at_least=1),
            head_layer_sizes=layer_sizes(self, "head_layer_sizes"),
            activation=self.activation,
            active_fraction=self.active_fraction,
            roaming_interval=self.roaming_interval,
        )


@document(BASELINE_PARAMETERS, ROAMING_PARAMETERS, attributes=SHARED_ATTRIBUTES)
class MaximumRoamingRegressor(MaximumRoamingMixin, MultiTaskRegressor):
    """Regression baseline: each task uses a part of a shared trunk that changes.

    A shared trunk with a head for each task, of whose layers each task uses a part of the units
    only. During training the parts roam: from time to time each task takes up a unit that it has
    never used and gives up one, until it has used all of them. Units learn from many tasks, but
    never serve all of them at a time.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    MaximumRoamingClassifier : The same for classes.
    skmtl.MultiTaskHypernetRegressor : A shared network writes one for each task.

    Notes
    -----
    The activations of every layer of the trunk are multiplied by a mask of the task. Masks start
    at random with ``active_fraction`` of the units, such that every unit has a task if there are
    enough of them; every `roaming_interval` steps each task swaps one unit, drawn uniformly from
    those it never used, for one drawn from those it uses, see section 3 of [1]_. After
    ``(1 - active_fraction) * width`` swaps the masks rest.

    In the code of [2]_ masks never move, and layers are widened so that each task has as many
    units as other methods; here, as in [1]_, `hidden_layer_sizes` are those of the trunk.
    Departures from [1]_: one step for all tasks of a batch instead of one for each, and intervals
    counted in steps. Where weights are averaged over steps, so is the number of the step that
    decides about the masks; the masks of the best epoch are kept with its weights.

    A task that was never seen is predicted by the mean of the outputs that the networks of all
    trained tasks have for its row, its own facts included.

    References
    ----------
    .. [1] Pascal, Michiardi, Bost, Huet and Zuluaga, "Maximum roaming multi-task learning", AAAI
       2021.
    .. [2] "Multi-task learning with hypernetworks and task metadata", under review, 2024.

    Examples
    --------
    >>> from skmtl.baselines import MaximumRoamingRegressor
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MaximumRoamingRegressor(
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
        active_fraction=0.8,
        roaming_interval=10,
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
        self.active_fraction = active_fraction
        self.roaming_interval = roaming_interval
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
    BASELINE_PARAMETERS, ROAMING_PARAMETERS, attributes=SHARED_ATTRIBUTES + CLASSIFIER_ATTRIBUTES
)
class MaximumRoamingClassifier(MaximumRoamingMixin, MultiTaskClassifier):
    """Classification baseline: each task uses a part of a shared trunk that changes.

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
    MaximumRoamingRegressor : For numbers; its notes hold here too.
    skmtl.MultiTaskHypernetClassifier : A shared network writes one for each task.

    Notes
    -----
    There is one output for two classes and one for each class otherwise; the outputs of classes
    that a task does not have are left out of the softmax. For a task that was never seen, outputs
    are averaged before the softmax. The method is that of [1]_; departures are in the notes of
    `MaximumRoamingRegressor`.

    References
    ----------
    .. [1] Pascal, Michiardi, Bost, Huet and Zuluaga, "Maximum roaming multi-task learning", AAAI
       2021.

    Examples
    --------
    >>> from skmtl.baselines import MaximumRoamingClassifier
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> positive = cubic.target.gt(0).map({True: "yes", False: "no"})
    >>> model = MaximumRoamingClassifier(
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
        active_fraction=0.8,
        roaming_interval=10,
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
        self.active_fraction = active_fraction
        self.roaming_interval = roaming_interval
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
