"""Networks of the tasks that share parts of their layers."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from skmtl._estimators.docs import CLASSIFIER_ATTRIBUTES, SHARED_ATTRIBUTES, document
from skmtl._estimators.layers import layer_sizes
from skmtl._estimators.predictors import MultiTaskClassifier, MultiTaskRegressor
from skmtl.baselines._common import CONSTRAINTS
from skmtl.baselines._docs import BASELINE_PARAMETERS, SLUICE_PARAMETERS, STITCH_PARAMETERS
from skmtl.nn import StitchedNetwork

OWN_CONSTRAINTS = {
    **CONSTRAINTS,
    "self_weight": [Interval(Real, 0, 1, closed="both")],
    "n_subspaces": [Interval(Integral, 1, None, closed="left")],
    "orthogonality_alpha": [Interval(Real, 0, None, closed="left")],
}


class SluiceMixin:
    """Stitched networks whose layers have subspaces, and outputs that read all layers."""

    _member_parameters = ("orthogonality_alpha",)

    def _build_module(self, n_tasks, n_features, n_metadata, n_outputs, seeds):
        widths = layer_sizes(self, "hidden_layer_sizes", at_least=1)
        if len(set(widths)) > 1 or widths[0] % self.n_subspaces:
            raise ValueError(
                "a sluice network mixes its hidden layers and divides each into n_subspaces="
                f"{self.n_subspaces} parts: hidden_layer_sizes must hold one width only, a "
                f"multiple of {self.n_subspaces}, got {self.hidden_layer_sizes!r}."
            )
        return StitchedNetwork(
            n_tasks,
            n_features + n_metadata,
            n_outputs,
            seeds=seeds,
            hidden_layer_sizes=widths,
            activation=self.activation,
            self_weight=self.self_weight,
            sluice=True,
            n_subspaces=self.n_subspaces,
            orthogonality_alpha=self.orthogonality_alpha,
        )


@document(BASELINE_PARAMETERS, STITCH_PARAMETERS, SLUICE_PARAMETERS, attributes=SHARED_ATTRIBUTES)
class SluiceRegressor(SluiceMixin, MultiTaskRegressor):
    """Regression baseline: networks of the tasks that share parts of their layers.

    As cross-stitch networks, but every hidden layer is divided into subspaces that are stitched
    on their own, so that a task can share one part of a layer and keep another to itself; and the
    output reads a learned mixture of all hidden layers.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    SluiceClassifier : The same for classes.
    skmtl.MultiTaskHypernetRegressor : A shared network writes one for each task.

    Notes
    -----
    With subspaces ``h_ts`` of layer k, ``h_ts <- sum_ru a[t, s, r, u] h_ru``; the output of task t
    is linear in ``sum_k b[t, k] h_t,k``. To the sum of the losses is added
    ``orthogonality_alpha * sum ||G_1^T G_2||^2`` over tasks, layers and pairs of subspaces, where
    G_s are the weights into subspace s, see [1]_. The penalty stands beside a sum over rows, here
    as everywhere in this package; in the original it stands beside the loss of one batch.

    Mixtures are sums without a softmax and each task has a b of its own, as in [1]_. The code of
    [2]_ differs: it forces both to be convex, has one b for all tasks, and its penalty is
    ``mean((G_1 - G_2)^2)``, which pulls the subspaces together instead of apart. At the start
    0.9 of the mixture is the last layer. As the mixture adds up layers, all must have the same
    width. All networks start from the same random weights, as in that code; those of the original
    start apart. Every row passes through the networks of all T tasks, and a stitch costs T^2.

    A task that was never seen is predicted by the mean of the outputs that the networks of all
    trained tasks have for its row, its own facts included.

    References
    ----------
    .. [1] Ruder, Bingel, Augenstein and Søgaard, "Latent multi-task architecture learning", AAAI
       2019.
    .. [2] "Multi-task learning with hypernetworks and task metadata", under review, 2024.

    Examples
    --------
    >>> from skmtl.baselines import SluiceRegressor
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = SluiceRegressor(
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
        n_subspaces=2,
        orthogonality_alpha=0.1,
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
        self.n_subspaces = n_subspaces
        self.orthogonality_alpha = orthogonality_alpha
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
    BASELINE_PARAMETERS,
    STITCH_PARAMETERS,
    SLUICE_PARAMETERS,
    attributes=SHARED_ATTRIBUTES + CLASSIFIER_ATTRIBUTES,
)
class SluiceClassifier(SluiceMixin, MultiTaskClassifier):
    """Classification baseline: networks of the tasks that share parts of their layers.

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
    SluiceRegressor : For numbers; its notes hold here too.
    skmtl.MultiTaskHypernetClassifier : A shared network writes one for each task.

    Notes
    -----
    There is one output for two classes and one for each class otherwise; the outputs of classes
    that a task does not have are left out of the softmax. For a task that was never seen, outputs
    are averaged before the softmax. The method is that of [1]_; departures are in the notes of
    `SluiceRegressor`.

    References
    ----------
    .. [1] Ruder, Bingel, Augenstein and Søgaard, "Latent multi-task architecture learning", AAAI
       2019.

    Examples
    --------
    >>> from skmtl.baselines import SluiceClassifier
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> positive = cubic.target.gt(0).map({True: "yes", False: "no"})
    >>> model = SluiceClassifier(
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
        n_subspaces=2,
        orthogonality_alpha=0.1,
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
        self.n_subspaces = n_subspaces
        self.orthogonality_alpha = orthogonality_alpha
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
