"""One network per task, stitched together after every hidden layer."""

from numbers import Real

from skmtl._sklearn_compat import Interval
from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import LAYERS
from skmtl.nn import StitchedNetwork


class CrossStitch(Architecture):
    """One network per task, stitched together after every hidden layer.

    After every hidden layer, each network continues with a learned linear combination of the
    activations of all networks. The data thus determine, layer by layer, how much tasks share.

    Parameters
    ----------
    self_weight : float, default=0.9
        Initial weight of a task's own activations; the rest is divided among the other tasks.
    hidden_layer_sizes : tuple of int, default=(32, 32, 32)
        Hidden layers of each network, at least one.
    activation : {"relu", "silu", "tanh", "logistic", "identity"}, default="relu"
        Activation after every hidden layer.

    Notes
    -----
    After a hidden layer ``h_t <- sum_s a[t, s] h_s``, equation (1) of [1]_ for any number of tasks,
    with one matrix a for each layer. At the start ``a[t, t]`` is `self_weight`, and the rest is
    divided among the other elements of the row; ``self_weight=1 / T`` is the "balanced" start of
    [2]_, whose code makes combinations convex by a softmax, unlike the original. Departures from
    the original: all networks start from the same random weights, as in that code, instead of being
    pretrained for each task, and a has the same learning rate as all other parameters.

    Every row passes through the networks of all T tasks, and the cost of a stitch is proportional
    to T^2: the method suits tens of tasks, not thousands.

    An unseen task is predicted by the mean of the outputs of the networks of all trained tasks,
    evaluated with its metadata.

    References
    ----------
    .. [1] Misra, Shrivastava, Gupta and Hebert, "Cross-stitch networks for multi-task learning",
       CVPR 2016.
    .. [2] "Multi-task learning with hypernetworks and task metadata", under review, 2024.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import CrossStitch
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(
    ...     CrossStitch(),
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
        "self_weight": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        *,
        self_weight=0.9,
        hidden_layer_sizes=(32, 32, 32),
        activation="relu",
    ):
        self.self_weight = self_weight
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation

    def build(self, shape, seeds, members):
        return StitchedNetwork(
            shape.n_tasks,
            shape.n_inputs,
            shape.n_outputs,
            seeds=seeds,
            hidden_layer_sizes=self._widths("hidden_layer_sizes", at_least=1),
            activation=self.activation,
            self_weight=self.self_weight,
        )
