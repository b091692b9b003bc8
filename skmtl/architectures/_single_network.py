"""One network for the rows of all tasks (STL)."""

from skmtl._sklearn_compat import StrOptions
from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import LAYERS
from skmtl.nn import SingleTaskNetwork


class SingleNetwork(Architecture):
    """One network for the rows of all tasks.

    This is the baseline that every multi-task method must beat. The network distinguishes tasks by
    an indicator for each (`one_hot`), by their metadata, or not at all.

    Parameters
    ----------
    one_hot : bool or "auto", default="auto"
        Whether indicators of the tasks are inputs; "auto" means unless there are metadata. False
        without metadata is one function for all tasks.
    hidden_layer_sizes : tuple of int, default=(32, 32, 32)
        Hidden layers.
    activation : {"relu", "silu", "tanh", "logistic", "identity"}, default="relu"
        Activation after every hidden layer.

    Notes
    -----
    This is called STL in [1]_, with metadata if there are any, and indicators otherwise: ``f([x;
    onehot(t)])`` or ``f([x; m_t])``. STL-naive is ``one_hot=False`` without metadata, ``f(x)``: the
    same function for all tasks.

    An unseen task is predicted by the mean of the outputs of the networks of all trained tasks,
    evaluated with its metadata.

    References
    ----------
    .. [1] "Multi-task learning with hypernetworks and task metadata", under review, 2024,
       section 3.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import SingleNetwork
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(
    ...     SingleNetwork(),
    ...     task_id="task",
    ...     metadata=cubic.metadata,
    ...     max_iter=30,
    ...     learning_rate_init=0.01,
    ...     random_state=0,
    ... )
    >>> model.fit(cubic.data, cubic.target).score(cubic.data, cubic.target) > 0.5
    True
    """

    _parameter_constraints = {
        **LAYERS,
        "one_hot": ["boolean", StrOptions({"auto"})],
    }

    def __init__(
        self,
        *,
        one_hot="auto",
        hidden_layer_sizes=(32, 32, 32),
        activation="relu",
    ):
        self.one_hot = one_hot
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation

    def build(self, shape, seeds, members):
        one_hot = shape.n_metadata == 0 if self.one_hot == "auto" else self.one_hot
        return SingleTaskNetwork(
            shape.n_tasks,
            shape.n_inputs,
            shape.n_outputs,
            seeds=seeds,
            hidden_layer_sizes=self._widths("hidden_layer_sizes"),
            activation=self.activation,
            one_hot=one_hot,
        )
