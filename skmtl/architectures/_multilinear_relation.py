"""A shared trunk, and heads with a common prior that is learned (MRN)."""

from numbers import Integral, Real

from skmtl._sklearn_compat import Interval, StrOptions
from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import HEADS, LAYERS
from skmtl.nn import RelationNetwork


class MultilinearRelation(Architecture):
    """A shared trunk, and heads with a common prior that is learned (MRN).

    The trunk is that of `SharedBottom`, but the weights of the heads have a common prior, whose
    covariances between features, between outputs and between tasks are learned, too: heads of
    related tasks are drawn towards each other.

    Parameters
    ----------
    relation_alpha : float, default=1e-2
        Strength of the penalty by the prior, which is added to the sum of the losses (of y in
        standard deviations); 1 is the literal prior, 0 turns it off. May differ between members.
    relation_interval : int, default=100
        Number of steps between two estimates of the covariances.
    relations : {"tasks", "all"}, default="tasks"
        The covariances to estimate: of tasks only, or of inputs and outputs of the heads as well.
    hidden_layer_sizes : tuple of int, default=(32, 32, 32)
        Hidden layers of the trunk.
    head_layer_sizes : tuple of int, default=()
        Hidden layers of each head; without any it is linear.
    activation : {"relu", "silu", "tanh", "logistic", "identity"}, default="relu"
        Activation after every hidden layer.

    Notes
    -----
    The weights W of a layer of all heads, a tensor, have a tensor normal prior with covariances S_1
    (inputs), S_2 (outputs) and S_3 (tasks). The penalty ``relation_alpha / 2 * vec(W)^T (S_1 x S_2
    x S_3)^-1 vec(W)`` is added to the sum of the losses, where x is the Kronecker product, and
    every `relation_interval` steps the covariances are estimated again by the flip-flop algorithm,
    ``S_k = W_(k) (S_i x S_j)^-1 W_(k)^T / (D / D_k) + 0.001 I``, section 4 of [1]_. The biases of
    the heads have no prior.

    Departures: the text of [1]_ estimates all three (``relations="all"``), the code published with
    it only S_3, which is the default. Where a layer has more inputs than tasks times outputs, S_1
    is singular, and the weights that it whitens no longer show relations between tasks. The literal
    prior, ``relation_alpha=1``, counts as one observation for each weight of a head; where these
    are as many as the rows, covariances and weights shrink each other. The default is a hundredth
    of it. The code of [2]_ stores precisions, and adds their update instead of replacing them.

    An unseen task is predicted by the mean of the outputs of the networks of all trained tasks,
    evaluated with its metadata.

    References
    ----------
    .. [1] Long, Cao, Wang and Yu, "Learning multiple tasks with multilinear relationship networks",
       NIPS 2017.
    .. [2] "Multi-task learning with hypernetworks and task metadata", under review, 2024.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import MultilinearRelation
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(
    ...     MultilinearRelation(),
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
        "relation_alpha": [Interval(Real, 0, None, closed="left")],
        "relation_interval": [Interval(Integral, 1, None, closed="left")],
        "relations": [StrOptions({"tasks", "all"})],
    }
    member_parameters = ("relation_alpha",)

    def __init__(
        self,
        *,
        relation_alpha=1e-2,
        relation_interval=100,
        relations="tasks",
        hidden_layer_sizes=(32, 32, 32),
        head_layer_sizes=(),
        activation="relu",
    ):
        self.relation_alpha = relation_alpha
        self.relation_interval = relation_interval
        self.relations = relations
        self.hidden_layer_sizes = hidden_layer_sizes
        self.head_layer_sizes = head_layer_sizes
        self.activation = activation

    def build(self, shape, seeds, members):
        return RelationNetwork(
            shape.n_tasks,
            shape.n_inputs,
            shape.n_outputs,
            seeds=seeds,
            hidden_layer_sizes=self._widths("hidden_layer_sizes"),
            head_layer_sizes=self._widths("head_layer_sizes"),
            activation=self.activation,
            relation_alpha=members["relation_alpha"],
            relation_interval=self.relation_interval,
            relations=self.relations,
        )
