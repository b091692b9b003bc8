"""Networks of the tasks, stitched together."""

from numbers import Real

from sklearn.utils._param_validation import Interval

from skmtl._estimators.docs import CLASSIFIER_ATTRIBUTES, SHARED_ATTRIBUTES, document
from skmtl._estimators.layers import layer_sizes
from skmtl._estimators.predictors import MultiTaskClassifier, MultiTaskRegressor
from skmtl.baselines._common import CONSTRAINTS
from skmtl.baselines._docs import BASELINE_PARAMETERS, STITCH_PARAMETERS
from skmtl.nn import StitchedNetwork

OWN_CONSTRAINTS = {
    **CONSTRAINTS,
    "self_weight": [Interval(Real, 0, 1, closed="both")],
}


class CrossStitchMixin:
    """Networks of the tasks that read each other's hidden layers."""

    def _build_module(self, n_tasks, n_features, n_metadata, n_outputs, seeds):
        return StitchedNetwork(
            n_tasks,
            n_features + n_metadata,
            n_outputs,
            seeds=seeds,
            hidden_layer_sizes=layer_sizes(self, "hidden_layer_sizes", at_least=1),
            activation=self.activation,
            self_weight=self.self_weight,
        )


@document(BASELINE_PARAMETERS, STITCH_PARAMETERS, attributes=SHARED_ATTRIBUTES)
class CrossStitchRegressor(CrossStitchMixin, MultiTaskRegressor):
    """Regression baseline: networks of the tasks, stitched together.

    Each task has a network. Behind every hidden layer, what a network goes on with is a learned
    linear combination of what all networks have there: from separate networks to a shared one,
    layer by layer, the data decide.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    CrossStitchClassifier : The same for classes.
    skmtl.MultiTaskHypernetRegressor : A shared network writes one for each task.

    Notes
    -----
    Behind a hidden layer ``h_t <- sum_s a[t, s] h_s``, equation (1) of [1]_ for any number of
    tasks, with one matrix a for each layer. At the start ``a[t, t]`` is `self_weight` and the
    others of a row share the rest; ``self_weight=1 / T`` is the "balanced" start of [2]_, whose
    code forces a to be convex by a softmax, which the original does not. Departures from the
    original: all networks start from the same random weights, as in that code, instead of ones
    trained for each task, and Adam takes the same learning rate for a as for the rest.

    Every row passes through the networks of all T tasks, and a stitch costs T^2: this is for tens
    of tasks, not for thousands.

    A task that was never seen is predicted by the mean of the outputs that the networks of all
    trained tasks have for its row, its own facts included.

    References
    ----------
    .. [1] Misra, Shrivastava, Gupta and Hebert, "Cross-stitch networks for multi-task learning",
       CVPR 2016.
    .. [2] "Multi-task learning with hypernetworks and task metadata", under review, 2024.

    Examples
    --------
    >>> from skmtl.baselines import CrossStitchRegressor
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = CrossStitchRegressor(
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
        self_weight=0.9,
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
        self.self_weight = self_weight
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


@document(
    BASELINE_PARAMETERS, STITCH_PARAMETERS, attributes=SHARED_ATTRIBUTES + CLASSIFIER_ATTRIBUTES
)
class CrossStitchClassifier(CrossStitchMixin, MultiTaskClassifier):
    """Classification baseline: networks of the tasks, stitched together.

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
    CrossStitchRegressor : For numbers; its notes hold here too.
    skmtl.MultiTaskHypernetClassifier : A shared network writes one for each task.

    Notes
    -----
    There is one output for two classes and one for each class otherwise; the outputs of classes
    that a task does not have are left out of the softmax. For a task that was never seen, outputs
    are averaged before the softmax. The method is that of [1]_; departures are in the notes of
    `CrossStitchRegressor`.

    References
    ----------
    .. [1] Misra, Shrivastava, Gupta and Hebert, "Cross-stitch networks for multi-task learning",
       CVPR 2016.

    Examples
    --------
    >>> from skmtl.baselines import CrossStitchClassifier
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> positive = cubic.target.gt(0).map({True: "yes", False: "no"})
    >>> model = CrossStitchClassifier(
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
        self_weight=0.9,
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
        self.self_weight = self_weight
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
