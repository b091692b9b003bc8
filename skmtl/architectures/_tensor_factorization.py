"""One network per task, whose weights are jointly factorised (DMTRL)."""

from numbers import Integral

from skmtl._sklearn_compat import Interval, StrOptions
from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import LAYERS
from skmtl.nn import FactorisedNetwork


class TensorFactorization(Architecture):
    """One network per task, whose weights are jointly factorised (DMTRL).

    The weights of all tasks in a layer form one tensor of low rank: every layer of every task is a
    combination of a few patterns that all tasks share. Only the coefficients and the biases are
    specific to a task.

    Parameters
    ----------
    factorization : {"tucker", "tt", "laf"}, default="tucker"
        Form of the factorisation: Tucker's, a tensor train, or that of one matrix.
    rank : int, default=8
        Ranks of the tensor, the number of patterns in a layer. The ranks of inputs and of outputs
        are at most their number.
    hidden_layer_sizes : tuple of int, default=(32, 32, 32)
        Hidden layers of each network.
    activation : {"relu", "silu", "tanh", "logistic", "identity"}, default="relu"
        Activation after every hidden layer.

    Notes
    -----
    With axes input i, output o and task t, the weights of a layer are ``W[i, o, t] = sum_abc G[b,
    a, c] U[i, a] V[c, o] Z[t, b]`` ("tucker"), ``sum_ab U[i, a] G[b, a, o] Z[t, b]`` ("tt", a
    tensor train) or ``sum_b G[b, i, o] Z[t, b]`` ("laf", which flattens all axes but the last), see
    [1]_. The factors are trained, not the tensor.

    In [1]_ the factors are initialised by those of networks trained for each task, which also
    determines the ranks. Here they are drawn at random, with ranks of `rank`: small tasks do not
    allow a separate fit for each. All tasks start with the same network, as in the code of [2]_:
    small tasks have too few rows to unlearn initial differences. That code bounds all ranks of a
    layer by its number of outputs, which leaves only one pattern in a layer of one output; here, as
    in [1]_, each rank is bounded by the size of its axis.

    An unseen task is predicted by the mean of the outputs of the networks of all trained tasks,
    evaluated with its metadata.

    References
    ----------
    .. [1] Yang and Hospedales, "Deep multi-task representation learning: a tensor factorisation
       approach", ICLR 2017.
    .. [2] "Multi-task learning with hypernetworks and task metadata", under review, 2024.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import TensorFactorization
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(
    ...     TensorFactorization(),
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
        "factorization": [StrOptions({"tucker", "tt", "laf"})],
        "rank": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        factorization="tucker",
        rank=8,
        hidden_layer_sizes=(32, 32, 32),
        activation="relu",
    ):
        self.factorization = factorization
        self.rank = rank
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation

    def build(self, shape, seeds, members):
        return FactorisedNetwork(
            shape.n_tasks,
            shape.n_inputs,
            shape.n_outputs,
            seeds=seeds,
            hidden_layer_sizes=self._widths("hidden_layer_sizes"),
            activation=self.activation,
            factorization=self.factorization,
            rank=self.rank,
        )
