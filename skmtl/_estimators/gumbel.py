"""`GumbelMatrixRegressor` and `GumbelMatrixClassifier`: learn which components each task uses.

Their parameters and documentation; the network is in `skmtl.nn`, the loop in `skmtl.training`.
"""

from skmtl._estimators.docs import CLASSIFIER_ATTRIBUTES, document
from skmtl._estimators.gumbel_docs import GUMBEL_ATTRIBUTES, GUMBEL_PARAMETERS
from skmtl._estimators.gumbel_mixin import CONSTRAINTS, GumbelMatrixMixin
from skmtl._estimators.predictors import MultiTaskClassifier, MultiTaskRegressor


@document(GUMBEL_PARAMETERS, attributes=GUMBEL_ATTRIBUTES)
class GumbelMatrixRegressor(GumbelMatrixMixin, MultiTaskRegressor):
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

    _parameter_constraints = {**MultiTaskRegressor._parameter_constraints, **CONSTRAINTS}

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
        learning_rate_init=5e-3,
        clip_norm=None,
        weight_averaging=0.99,
        max_iter=300,
        early_stopping=True,
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
        self.layers = layers
        self.n_components = n_components
        self.components = components
        self.heads = heads
        self.activation = activation
        self.allocation = allocation
        self.initial_probability = initial_probability
        self.budget = budget
        self.budget_penalty = budget_penalty
        self.temperature = temperature
        self.router_multiplier = router_multiplier
        self.task_schedule = task_schedule
        self.inference = inference
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.clip_norm = clip_norm
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


@document(GUMBEL_PARAMETERS, attributes=GUMBEL_ATTRIBUTES + CLASSIFIER_ATTRIBUTES)
class GumbelMatrixClassifier(GumbelMatrixMixin, MultiTaskClassifier):
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

    _parameter_constraints = {**MultiTaskClassifier._parameter_constraints, **CONSTRAINTS}

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
        learning_rate_init=5e-3,
        clip_norm=None,
        weight_averaging=0.99,
        max_iter=300,
        early_stopping=True,
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
        self.layers = layers
        self.n_components = n_components
        self.components = components
        self.heads = heads
        self.activation = activation
        self.allocation = allocation
        self.initial_probability = initial_probability
        self.budget = budget
        self.budget_penalty = budget_penalty
        self.temperature = temperature
        self.router_multiplier = router_multiplier
        self.task_schedule = task_schedule
        self.inference = inference
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.clip_norm = clip_norm
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
