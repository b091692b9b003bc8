"""Shared experts and a gate for each task (MMoE)."""

from numbers import Integral

from skmtl._sklearn_compat import Interval
from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import HEADS, LAYERS
from skmtl.nn import MixtureNetwork


class MultiGateMixture(Architecture):
    """Shared experts, with a gate and a tower for each task (MMoE).

    All tasks share several networks, the experts. The gate of a task determines the weight of each
    expert for every row, and its tower predicts from their weighted sum. Related tasks can use the
    same experts.

    Parameters
    ----------
    n_experts : int, default=8
        Number of experts, which all tasks share.
    hidden_layer_sizes : tuple of int, default=(32, 32)
        Layers of each expert, at least one.
    head_layer_sizes : tuple of int, default=(32,)
        Hidden layers of each task's tower.
    activation : {"relu", "silu", "tanh", "logistic", "identity"}, default="relu"
        Activation after every hidden layer.

    Notes
    -----
    Task t is predicted by ``h_t(sum_i g_t(x)_i f_i(x))`` with ``g_t(x) = softmax(G_t x)``, experts
    f_i and towers h_t, as in section 4.2 of [1]_. Every row passes through all experts.

    An unseen task is predicted by the mean of the outputs of the networks of all trained tasks,
    evaluated with its metadata.

    References
    ----------
    .. [1] Ma, Zhao, Yi, Chen, Hong and Chi, "Modeling task relationships in multi-task learning
       with multi-gate mixture-of-experts", KDD 2018.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import MultiGateMixture
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(
    ...     MultiGateMixture(),
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
        "n_experts": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        n_experts=8,
        hidden_layer_sizes=(32, 32),
        head_layer_sizes=(32,),
        activation="relu",
    ):
        self.n_experts = n_experts
        self.hidden_layer_sizes = hidden_layer_sizes
        self.head_layer_sizes = head_layer_sizes
        self.activation = activation

    def build(self, shape, seeds, members):
        return MixtureNetwork(
            shape.n_tasks,
            shape.n_inputs,
            shape.n_outputs,
            seeds=seeds,
            hidden_layer_sizes=self._widths("hidden_layer_sizes", at_least=1),
            head_layer_sizes=self._widths("head_layer_sizes"),
            n_experts=self.n_experts,
            activation=self.activation,
        )
