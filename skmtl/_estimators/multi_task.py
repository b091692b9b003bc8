"""`MultiTaskRegressor` and `MultiTaskClassifier`: any architecture, passed in as an object."""

from difflib import get_close_matches

from skmtl import architectures
from skmtl._estimators.bases import BaseClassifier, BaseRegressor
from skmtl._estimators.docs import CLASSIFIER_ATTRIBUTES, SHARED_ATTRIBUTES, document
from skmtl.architectures import Architecture, Hypernetwork

PARAMETERS = """
architecture : Architecture, default=None
    How the networks of the tasks hang together, an object of :mod:`skmtl.architectures` or of a
    class of your own; None is ``Hypernetwork()``. Its parameters are set and searched by nested
    names such as ``architecture__hidden_layer_sizes``.
metadata : list of str or int, DataFrame, or None, default=None
    Metadata of tasks: columns of X that are constant within each task, or a table with one row per
    task, indexed by task id; in wide form by column of y. Architectures without an embedding append
    them to the features of the rows.
unseen_tasks : {"error", "average"}, default="error"
    What to do in ``predict`` with a task that was never seen, without metadata: raise an
    error that lists it, or predict it by the mean of the outputs of all trained tasks. With
    metadata it is always predicted, by that mean with its own metadata.
"""
ATTRIBUTES = (
    SHARED_ATTRIBUTES
    + """
task_embeddings_ : DataFrame
    One row per task, of architectures that learn embeddings or allocations of the tasks.
"""
)
# checked below: what is wrong with an architecture can be said better
CONSTRAINTS = {"architecture": "no_validation"}


def checked_architecture(architecture):
    """Return an architecture whose parameters are valid; None is a hypernetwork."""
    if architecture is None:
        return Hypernetwork()
    if not isinstance(architecture, Architecture):
        raise TypeError(
            "architecture must be an object of skmtl.architectures, such as "
            f"{_nearest(architecture)}(), got {architecture!r}."
        )
    architecture._validate_params()
    return architecture


def _nearest(architecture):
    """Return the name of the class that was probably meant."""
    if isinstance(architecture, type):
        return architecture.__name__
    names = {name.casefold(): name for name in architectures.__all__ if name != "Architecture"}
    close = get_close_matches(str(architecture).replace("_", "").casefold(), names, n=1)
    return names[close[0]] if close else "SharedBottom"


@document(PARAMETERS, attributes=ATTRIBUTES)
class MultiTaskRegressor(BaseRegressor):
    """Regression for many related tasks with any architecture.

    The architecture says how the networks of the tasks hang together; everything else, from tables
    and missing labels to members and searches, is the same for all of them.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    MultiTaskHypernetRegressor : Made for tables with metadata; the first to try.
    skmtl.architectures : The architectures.

    Notes
    -----
    What is the same for all architectures: features, metadata and targets are standardised inside,
    identical rows are merged, Adam with decoupled weight decay trains averaged weights, early
    stopping keeps the best ones. Formulas, sources and departures are in the notes of the
    architectures; [1]_ compares several of them.

    References
    ----------
    .. [1] "Multi-task learning with hypernetworks and task metadata", under review, 2024.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import CrossStitch, SharedBottom
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(
    ...     SharedBottom(head_layer_sizes=(16,)), task_id="task", max_iter=10, random_state=0
    ... )
    >>> model.fit(cubic.data, cubic.target).predict(cubic.data).shape
    (120,)

    Architectures, and their parameters, are searched like all others:

    >>> from sklearn.model_selection import GridSearchCV
    >>> from skmtl.model_selection import TaskKFold
    >>> grid = [
    ...     {"architecture": [SharedBottom(), CrossStitch()]},
    ...     {"architecture__hidden_layer_sizes": [(8,), (16,)]},
    ... ]
    >>> search = GridSearchCV(model.set_params(max_iter=2), grid, cv=TaskKFold("task", 2))
    >>> len(search.fit(cubic.data, cubic.target).cv_results_["params"])
    4
    """

    _parameter_constraints = {**BaseRegressor._parameter_constraints, **CONSTRAINTS}

    def __init__(
        self,
        architecture=None,
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
        alpha=1e-4,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=1.5e-3,
        weight_averaging=0.99,
        max_iter=1000,
        early_stopping="refit",
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

    def _architecture(self):
        return checked_architecture(self.architecture)

    def _architecture_parameters(self):
        return ["architecture"]


@document(PARAMETERS, attributes=ATTRIBUTES + CLASSIFIER_ATTRIBUTES)
class MultiTaskClassifier(BaseClassifier):
    """Classification for many related tasks with any architecture.

    As `MultiTaskRegressor`, for classes. In long form every task may have classes of its own; in
    wide form every column of y has, and some columns may hold numbers.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    MultiTaskRegressor : For numbers; its notes hold here too.

    Notes
    -----
    There is one output for two classes and one for each class otherwise; the outputs of classes
    that a task does not have are left out of the softmax. For a task that was never seen, outputs
    are averaged before the softmax. The architectures are those compared in [1]_.

    References
    ----------
    .. [1] "Multi-task learning with hypernetworks and task metadata", under review, 2024.

    Examples
    --------
    >>> from skmtl import MultiTaskClassifier
    >>> from skmtl.architectures import MultiGateMixture
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> positive = cubic.target.gt(0).map({True: "yes", False: "no"})
    >>> model = MultiTaskClassifier(
    ...     MultiGateMixture(), task_id="task", max_iter=50, random_state=0
    ... )
    >>> model.fit(cubic.data, positive).score(cubic.data, positive) > 0.7
    True
    """

    _parameter_constraints = {**BaseClassifier._parameter_constraints, **CONSTRAINTS}

    def __init__(
        self,
        architecture=None,
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
        alpha=1e-4,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=1.5e-3,
        weight_averaging=0.99,
        max_iter=1000,
        early_stopping="refit",
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

    def _architecture(self):
        return checked_architecture(self.architecture)

    def _architecture_parameters(self):
        return ["architecture"]
