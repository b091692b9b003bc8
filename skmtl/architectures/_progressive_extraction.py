"""Levels of shared and task-specific experts (PLE)."""

from numbers import Integral

from skmtl._sklearn_compat import Interval
from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import HEADS, LAYERS
from skmtl.nn import ExtractionNetwork


class ProgressiveExtraction(Architecture):
    """Levels of shared and task-specific experts (PLE).

    A mixture of experts in which each task also has separate experts, so that unrelated tasks
    interfere less with each other. Several levels of experts gradually separate what tasks have in
    common from what is specific to each.

    Parameters
    ----------
    n_levels : int, default=2
        Number of levels of experts.
    n_task_experts : int, default=1
        Number of experts of each task on each level.
    n_shared_experts : int, default=2
        Number of shared experts on each level.
    hidden_layer_sizes : tuple of int, default=(32,)
        Layers of each expert on each level, at least one.
    head_layer_sizes : tuple of int, default=(32,)
        Hidden layers of each task's tower.
    activation : {"relu", "silu", "tanh", "logistic", "identity"}, default="relu"
        Activation after every hidden layer.

    Notes
    -----
    On each level the gate of a task combines its own experts with the shared ones, and a gate of
    the shared path combines all experts; gates are ``softmax(G z)`` of the inputs of their path on
    this level. ``n_levels=1`` is customised gate control, see section 4 of [1]_. With more levels
    every row passes through the experts of all tasks: the cost grows with rows times tasks. Tasks
    are not weighted as in section 4.3.

    An unseen task is predicted by the mean of the outputs of the networks of all trained tasks,
    evaluated with its metadata.

    References
    ----------
    .. [1] Tang, Liu, Zhao and Gong, "Progressive layered extraction (PLE): a novel multi-task
       learning (MTL) model for personalized recommendations", RecSys 2020.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import ProgressiveExtraction
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(
    ...     ProgressiveExtraction(),
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
        "n_levels": [Interval(Integral, 1, None, closed="left")],
        "n_task_experts": [Interval(Integral, 1, None, closed="left")],
        "n_shared_experts": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        n_levels=2,
        n_task_experts=1,
        n_shared_experts=2,
        hidden_layer_sizes=(32,),
        head_layer_sizes=(32,),
        activation="relu",
    ):
        self.n_levels = n_levels
        self.n_task_experts = n_task_experts
        self.n_shared_experts = n_shared_experts
        self.hidden_layer_sizes = hidden_layer_sizes
        self.head_layer_sizes = head_layer_sizes
        self.activation = activation

    def build(self, shape, seeds, members):
        return ExtractionNetwork(
            shape.n_tasks,
            shape.n_inputs,
            shape.n_outputs,
            seeds=seeds,
            hidden_layer_sizes=self._widths("hidden_layer_sizes", at_least=1),
            head_layer_sizes=self._widths("head_layer_sizes"),
            n_levels=self.n_levels,
            n_task_experts=self.n_task_experts,
            n_shared_experts=self.n_shared_experts,
            activation=self.activation,
        )
