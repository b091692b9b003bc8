"""A trunk shared by all tasks and a head for each."""

from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import HEADS, LAYERS
from skmtl.nn import SharedBottomNetwork


class SharedBottom(Architecture):
    """A trunk shared by all tasks and a head for each.

    This is hard parameter sharing: all tasks use the same representation of a row, with a different
    head. It is cheap, even with many tasks.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(32, 32, 32)
        Hidden layers of the trunk.
    head_layer_sizes : tuple of int, default=()
        Hidden layers of each head; without any it is linear.
    activation : {"relu", "silu", "tanh", "logistic", "identity"}, default="relu"
        Activation after every hidden layer.

    Notes
    -----
    Task t is predicted by ``h_t(g(x))`` with a shared network g (`hidden_layer_sizes`) and heads
    h_t (`head_layer_sizes`) [1]_.

    An unseen task is predicted by the mean of the outputs of the networks of all trained tasks,
    evaluated with its metadata.

    References
    ----------
    .. [1] Caruana, "Multitask learning", Machine Learning 28, 1997, section 2.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import SharedBottom
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(
    ...     SharedBottom(),
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
        **HEADS,
    }

    def __init__(
        self,
        *,
        hidden_layer_sizes=(32, 32, 32),
        head_layer_sizes=(),
        activation="relu",
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.head_layer_sizes = head_layer_sizes
        self.activation = activation

    def build(self, shape, seeds, members):
        return SharedBottomNetwork(
            shape.n_tasks,
            shape.n_inputs,
            shape.n_outputs,
            seeds=seeds,
            hidden_layer_sizes=self._widths("hidden_layer_sizes"),
            head_layer_sizes=self._widths("head_layer_sizes"),
            activation=self.activation,
        )
