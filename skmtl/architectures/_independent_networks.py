"""A separate network for every task."""

from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import LAYERS
from skmtl.nn import SharedBottomNetwork


class IndependentNetworks(Architecture):
    """A separate network for every task.

    Nothing is shared except the scales of the columns: the gains of multi-task methods are measured
    against this one. All networks train in one run.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(32, 32, 32)
        Hidden layers of each network.
    activation : {"relu", "silu", "tanh", "logistic", "identity"}, default="relu"
        Activation after every hidden layer.

    Notes
    -----
    Task t is predicted by ``f(x; theta_t)``, where no two tasks have a parameter in common. They
    share the settings of training: learning rate, number of steps, and the epoch whose weights are
    kept, which is the best one on average.

    An unseen task is predicted by the mean of the outputs of the networks of all trained tasks,
    evaluated with its metadata.

    References
    ----------
    .. [1] Caruana, "Multitask learning", Machine Learning 28, 1997: single task learning.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import IndependentNetworks
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(
    ...     IndependentNetworks(),
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
    }

    def __init__(
        self,
        *,
        hidden_layer_sizes=(32, 32, 32),
        activation="relu",
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation

    def build(self, shape, seeds, members):
        return SharedBottomNetwork(
            shape.n_tasks,
            shape.n_inputs,
            shape.n_outputs,
            seeds=seeds,
            hidden_layer_sizes=(),
            head_layer_sizes=self._widths("hidden_layer_sizes"),
            activation=self.activation,
        )
