"""A shared trunk; each task uses a changing subset of its units."""

from numbers import Integral, Real

from skmtl._sklearn_compat import Interval
from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import HEADS, LAYERS
from skmtl.nn import RoamingNetwork


class MaximumRoaming(Architecture):
    """A shared trunk; each task uses a subset of its units, which changes during training.

    Each task uses only a fraction of the units of every layer of the trunk, and has its own head.
    At regular intervals it replaces one unit by another that it has never used, until it has used
    all of them. Units learn from many tasks, but never serve all of them at once.

    Parameters
    ----------
    active_fraction : float, default=0.8
        Fraction of the units of each shared layer that a task uses at a time.
    roaming_interval : int, default=10
        Number of steps after which each task replaces one unit of each layer by one that it has
        never used.
    hidden_layer_sizes : tuple of int, default=(32, 32, 32)
        Hidden layers of the trunk, at least one.
    head_layer_sizes : tuple of int, default=()
        Hidden layers of each head; without any it is linear.
    activation : {"relu", "silu", "tanh", "logistic", "identity"}, default="relu"
        Activation after every hidden layer.

    Notes
    -----
    The activations of every layer of the trunk are multiplied by a mask of the task. Masks start at
    random with ``active_fraction`` of the units, such that every unit is used by a task if there
    are enough tasks; every `roaming_interval` steps, each task replaces a unit drawn uniformly from
    those that it uses by one drawn from those that it has never used, see section 3 of [1]_. After
    ``(1 - active_fraction) * width`` replacements the masks remain the same.

    In the code of [2]_ masks never change, and layers are widened so that each task has as many
    units as in other methods; here, as in [1]_, `hidden_layer_sizes` are those of the trunk.
    Departures from [1]_: one step for all tasks of a batch instead of one for each, and intervals
    counted in steps. Where weights are averaged over steps, so is the number of steps on which the
    masks depend; the masks of the best epoch are kept with its weights.

    An unseen task is predicted by the mean of the outputs of the networks of all trained tasks,
    evaluated with its metadata.

    References
    ----------
    .. [1] Pascal, Michiardi, Bost, Huet and Zuluaga, "Maximum roaming multi-task learning", AAAI
       2021.
    .. [2] "Multi-task learning with hypernetworks and task metadata", under review, 2024.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import MaximumRoaming
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(
    ...     MaximumRoaming(),
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
        "active_fraction": [Interval(Real, 0, 1, closed="right")],
        "roaming_interval": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        active_fraction=0.8,
        roaming_interval=10,
        hidden_layer_sizes=(32, 32, 32),
        head_layer_sizes=(),
        activation="relu",
    ):
        self.active_fraction = active_fraction
        self.roaming_interval = roaming_interval
        self.hidden_layer_sizes = hidden_layer_sizes
        self.head_layer_sizes = head_layer_sizes
        self.activation = activation

    def build(self, shape, seeds, members):
        return RoamingNetwork(
            shape.n_tasks,
            shape.n_inputs,
            shape.n_outputs,
            seeds=seeds,
            hidden_layer_sizes=self._widths("hidden_layer_sizes", at_least=1),
            head_layer_sizes=self._widths("head_layer_sizes"),
            activation=self.activation,
            active_fraction=self.active_fraction,
            roaming_interval=self.roaming_interval,
        )
