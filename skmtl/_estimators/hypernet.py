"""`MultiTaskHypernetRegressor` and `MultiTaskHypernetClassifier`: one small network per task.

Their parameters and documentation; the architecture is `skmtl.architectures.Hypernetwork`.
"""

from numbers import Real

from skmtl._estimators.bases import BaseClassifier, BaseRegressor
from skmtl._estimators.docs import ATTRIBUTES, CLASSIFIER_ATTRIBUTES, document
from skmtl._sklearn_compat import Interval, StrOptions
from skmtl.architectures import Hypernetwork

_PRESETS = {
    "preset": [StrOptions({"fast", "default", "best"})],
    "time_limit": [Interval(Real, 0, None, closed="neither"), None],
}


@document(architecture=Hypernetwork, attributes=ATTRIBUTES)
class MultiTaskHypernetRegressor(BaseRegressor):
    """Regression for many related tasks: a shared network writes a small network for each.

    Every task (school, store, lake, patient) has a learned embedding and, if given, `metadata`. A
    hypernetwork shared by all tasks turns the two into the weights of a small network, which
    predicts the rows of that task. Tasks share what they have in common through the hypernetwork,
    and a task that was never seen is predicted from its metadata alone.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    skmtl.datasets.load_high_school : A table that this estimator is made for.

    Notes
    -----
    The network of task t is written by a hypernetwork h, ``theta_t = h(e_t, m_t)``, see section 2
    of [1]_. The weights of each layer are
    ``W_t[i, o] = sum_k h_t[k] A[k, i] B[i, o] C[k, o] + D[i, o]``, section 2.1. Departures from
    the paper: `linear_skip`, `embedding_alpha` and `weight_averaging` (all can be turned off),
    embeddings that start apart in wide form, the best weights are kept instead of the last ones,
    batches are even, and metadata are standardised by the population standard deviation.

    Features, metadata and targets are standardised inside; targets over all tasks, since a task
    that was never seen has no scale of its own. Identical rows are merged and their weights added
    up, so that a weight of 2 is the same as the row twice.

    References
    ----------
    .. [1] "Multi-task learning with hypernetworks and task metadata", under review, 2024;
       Graffeuille et al., "Remote sensing for water quality: a multi-task, metadata-driven
       hypernetwork approach", IJCAI 2024.
    .. [2] Chang, Flokas and Lipson, "Principled weight initialization for hypernetworks",
       ICLR 2020.

    Examples
    --------
    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
    >>> model = MultiTaskHypernetRegressor(
    ...     task_id=cubic.task_id, metadata=cubic.metadata, max_iter=50, random_state=0
    ... )
    >>> model.fit(cubic.data, cubic.target).score(cubic.data, cubic.target) > 0.9
    True
    >>> model.task_embeddings_.shape
    (20, 10)

    A task that was never seen, from its metadata alone:

    >>> new = cubic.data.head(2).assign(task=99, a=0.5, b=0.0, c=0.0, d=0.0)
    >>> model.predict(new).shape
    (2,)

    Two crossed ids, each with embeddings of its own:

    >>> twice = cubic.data[["task", "x"]].assign(day=cubic.data.index % 7)
    >>> crossed = MultiTaskHypernetRegressor(
    ...     ["task", "day"], task_levels="crossed", max_iter=5, random_state=0
    ... )
    >>> crossed = crossed.fit(twice, cubic.target)
    >>> {name: table.shape for name, table in crossed.task_embeddings_.items()}
    {'task': (20, 10), 'day': (7, 10)}
    """

    _parameter_constraints = {
        **BaseRegressor._parameter_constraints,
        **Hypernetwork._parameter_constraints,
        **_PRESETS,
    }
    _architecture_class = Hypernetwork
    _parameters_before = Hypernetwork._parameters_before

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
        embedding_dim=10,
        embedding_init="auto",
        embedding_alpha=0.3,
        hidden_layer_sizes=(32, 32, 32),
        hypernet_layers=0,
        hypernet_width=32,
        activation="auto",
        compression=True,
        target_bias="folded",
        init="kaiming",
        linear_skip=True,
        interaction_alpha=1000.0,
        alpha="auto",
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=1e-2,
        weight_averaging=0.99,
        max_iter=1000,
        early_stopping="refit",
        validation_fraction=0.2,
        n_iter_no_change="auto",
        tol=1e-4,
        base="auto",
        base_sees_task=True,
        unseen_tasks="error",
        hold_out_tasks="auto",
        preset="default",
        time_limit=None,
        n_members=1,
        warm_start=False,
        device="auto",
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        self._store(locals())


@document(architecture=Hypernetwork, attributes=ATTRIBUTES + CLASSIFIER_ATTRIBUTES)
class MultiTaskHypernetClassifier(BaseClassifier):
    """Classification for many related tasks: a shared network writes a small network for each.

    As `MultiTaskHypernetRegressor`, for classes. In long form every task may have classes of its
    own; in wide form every column of y has, and some columns may hold numbers.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    MultiTaskHypernetRegressor : For numbers; its notes hold here too.

    Notes
    -----
    A task's network has one output for two classes and as many as there are classes otherwise;
    the outputs of classes that its task does not have are left out of the softmax. Members are
    averaged as probabilities. See section 2 of [1]_ for the hypernetwork, and the notes of
    `MultiTaskHypernetRegressor` for departures from it.

    References
    ----------
    .. [1] "Multi-task learning with hypernetworks and task metadata", under review, 2024;
       Graffeuille et al., "Remote sensing for water quality: a multi-task, metadata-driven
       hypernetwork approach", IJCAI 2024.
    .. [2] Chang, Flokas and Lipson, "Principled weight initialization for hypernetworks",
       ICLR 2020.

    Examples
    --------
    >>> from skmtl import MultiTaskHypernetClassifier
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=20, n_rows=30, random_state=0)
    >>> positive = cubic.target.gt(0).map({True: "yes", False: "no"})
    >>> model = MultiTaskHypernetClassifier(
    ...     task_id=cubic.task_id, metadata=cubic.metadata, max_iter=20, random_state=0
    ... )
    >>> model.fit(cubic.data, positive).score(cubic.data, positive) > 0.8
    True
    >>> model.classes_.tolist()
    ['no', 'yes']
    >>> model.predict_proba(cubic.data.head(2)).shape
    (2, 2)
    """

    _parameter_constraints = {
        **BaseClassifier._parameter_constraints,
        **Hypernetwork._parameter_constraints,
        **_PRESETS,
    }
    _architecture_class = Hypernetwork
    _parameters_before = Hypernetwork._parameters_before

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
        embedding_dim=10,
        embedding_init="auto",
        embedding_alpha=0.3,
        hidden_layer_sizes=(32, 32, 32),
        hypernet_layers=0,
        hypernet_width=32,
        activation="auto",
        compression=True,
        target_bias="folded",
        init="kaiming",
        linear_skip=True,
        interaction_alpha=1000.0,
        alpha="auto",
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=1e-2,
        weight_averaging=0.99,
        max_iter=1000,
        early_stopping="refit",
        validation_fraction=0.2,
        n_iter_no_change="auto",
        tol=1e-4,
        base="auto",
        base_sees_task=True,
        unseen_tasks="error",
        hold_out_tasks="auto",
        preset="default",
        time_limit=None,
        n_members=1,
        warm_start=False,
        device="auto",
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        self._store(locals())
