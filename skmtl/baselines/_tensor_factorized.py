"""Networks of the tasks, factorised together (DMTRL)."""

from numbers import Integral

from sklearn.utils._param_validation import Interval, StrOptions

from skmtl._estimators.docs import CLASSIFIER_ATTRIBUTES, SHARED_ATTRIBUTES, document
from skmtl._estimators.layers import layer_sizes
from skmtl._estimators.predictors import MultiTaskClassifier, MultiTaskRegressor
from skmtl.baselines._common import CONSTRAINTS
from skmtl.baselines._docs import BASELINE_PARAMETERS, TENSOR_PARAMETERS
from skmtl.nn import FactorisedNetwork

OWN_CONSTRAINTS = {
    **CONSTRAINTS,
    "factorization": [StrOptions({"tucker", "tt", "laf"})],
    "rank": [Interval(Integral, 1, None, closed="left")],
}


class TensorFactorizedMixin:
    """Networks of the tasks whose weights are one factorised tensor for each layer."""

    def _build_module(self, n_tasks, n_features, n_metadata, n_outputs, seeds):
        return FactorisedNetwork(
            n_tasks,
            n_features + n_metadata,
            n_outputs,
            seeds=seeds,
            hidden_layer_sizes=layer_sizes(self, "hidden_layer_sizes"),
            activation=self.activation,
            factorization=self.factorization,
            rank=self.rank,
        )


@document(BASELINE_PARAMETERS, TENSOR_PARAMETERS, attributes=SHARED_ATTRIBUTES)
class TensorFactorizedRegressor(TensorFactorizedMixin, MultiTaskRegressor):
    """Regression baseline: networks of the tasks, factorised together (DMTRL).

    Each task has a network. The weights of a layer, of all tasks, form one tensor of low rank:
    every layer of every task is a combination of a few patterns that are learned by all tasks
    together. Only the coefficients and the biases belong to one task.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    TensorFactorizedClassifier : The same for classes.
    skmtl.MultiTaskHypernetRegressor : A shared network writes one for each task.

    Notes
    -----
    With axes input i, output o and task t, the weights of a layer are
    ``W[i, o, t] = sum_abc G[b, a, c] U[i, a] V[c, o] Z[t, b]`` ("tucker"),
    ``sum_ab U[i, a] G[b, a, o] Z[t, b]`` ("tt", a tensor train) or ``sum_b G[b, i, o] Z[t, b]``
    ("laf", which flattens all axes but the last), see [1]_. Factors are trained, the tensor
    never is.

    In [1]_ the factors start as those of networks trained for each task, which also gives the
    ranks. Here they start at random, with the ranks of `rank`: a fit of its own for each task is
    what small tasks do not allow. All tasks start with the same network, as in the code of [2]_:
    networks that start apart have to unlearn it, for which small tasks have too few rows. That
    code bounds all ranks of a layer by its number of outputs, which leaves one pattern only to a
    layer of one output; here, as in [1]_, each rank is bounded by its own axis.

    A task that was never seen is predicted by the mean of the outputs that the networks of all
    trained tasks have for its row, its own facts included.

    References
    ----------
    .. [1] Yang and Hospedales, "Deep multi-task representation learning: a tensor factorisation
       approach", ICLR 2017.
    .. [2] "Multi-task learning with hypernetworks and task metadata", under review, 2024.

    Examples
    --------
    >>> from skmtl.baselines import TensorFactorizedRegressor
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = TensorFactorizedRegressor(
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
        factorization="tucker",
        rank=8,
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
        self.factorization = factorization
        self.rank = rank
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
    BASELINE_PARAMETERS, TENSOR_PARAMETERS, attributes=SHARED_ATTRIBUTES + CLASSIFIER_ATTRIBUTES
)
class TensorFactorizedClassifier(TensorFactorizedMixin, MultiTaskClassifier):
    """Classification baseline: networks of the tasks, factorised together (DMTRL).

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
    TensorFactorizedRegressor : For numbers; its notes hold here too.
    skmtl.MultiTaskHypernetClassifier : A shared network writes one for each task.

    Notes
    -----
    There is one output for two classes and one for each class otherwise; the outputs of classes
    that a task does not have are left out of the softmax. For a task that was never seen, outputs
    are averaged before the softmax. The method is that of [1]_; departures are in the notes of
    `TensorFactorizedRegressor`.

    References
    ----------
    .. [1] Yang and Hospedales, "Deep multi-task representation learning: a tensor factorisation
       approach", ICLR 2017.

    Examples
    --------
    >>> from skmtl.baselines import TensorFactorizedClassifier
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> positive = cubic.target.gt(0).map({True: "yes", False: "no"})
    >>> model = TensorFactorizedClassifier(
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
        factorization="tucker",
        rank=8,
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
        self.factorization = factorization
        self.rank = rank
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
