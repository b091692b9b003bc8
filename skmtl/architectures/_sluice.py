"""One network per task; parts of the hidden layers are stitched together."""

from numbers import Integral, Real

from skmtl._sklearn_compat import Interval
from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import LAYERS
from skmtl.nn import StitchedNetwork


class Sluice(Architecture):
    """One network per task; parts of the hidden layers are stitched together.

    Sluice networks are cross-stitch networks in which every hidden layer is divided into subspaces
    that are stitched separately, so that a task can share one part of a layer but not another. The
    outputs are computed from a learned mixture of all hidden layers.

    Parameters
    ----------
    self_weight : float, default=0.9
        Initial weight of a task's own activations; the rest is divided among the other tasks.
    n_subspaces : int, default=2
        Number of parts of each hidden layer that are stitched separately.
    orthogonality_alpha : float, default=0.1
        Strength of the penalty that makes the subspaces of a layer differ, which is added to the
        sum of the losses (of y in standard deviations). May differ between members.
    hidden_layer_sizes : tuple of int, default=(32, 32, 32)
        Hidden layers of each network, all of the same width, a multiple of `n_subspaces`.
    activation : {"relu", "silu", "tanh", "logistic", "identity"}, default="relu"
        Activation after every hidden layer.

    Notes
    -----
    With subspaces ``h_ts`` of layer k, ``h_ts <- sum_ru a[t, s, r, u] h_ru``; the output of task t
    is linear in ``sum_k b[t, k] h_t,k``. The penalty ``orthogonality_alpha * sum ||G_1^T G_2||^2``
    over tasks, layers and pairs of subspaces is added to the sum of the losses, where G_s are the
    weights into subspace s, see [1]_. As everywhere in this package, this is a sum over rows; in
    the original, the penalty is added to the loss of one batch.

    Mixtures are sums without a softmax and each task has its own b, as in [1]_. The code of [2]_
    differs: it makes both convex, has one b for all tasks, and its penalty is ``mean((G_1 -
    G_2)^2)``, which pulls the subspaces together instead of apart. At the start, 0.9 of the mixture
    is the last layer. As layers are added, all must have the same width. All networks start from
    the same random weights, as in that code; those of the original start from different ones. Every
    row passes through the networks of all T tasks, and the cost of a stitch is proportional to T^2.

    An unseen task is predicted by the mean of the outputs of the networks of all trained tasks,
    evaluated with its metadata.

    References
    ----------
    .. [1] Ruder, Bingel, Augenstein and Søgaard, "Latent multi-task architecture learning", AAAI
       2019.
    .. [2] "Multi-task learning with hypernetworks and task metadata", under review, 2024.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import Sluice
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(
    ...     Sluice(),
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
        "n_subspaces": [Interval(Integral, 1, None, closed="left")],
        "orthogonality_alpha": [Interval(Real, 0, None, closed="left")],
    }
    member_parameters = ("orthogonality_alpha",)

    def __init__(
        self,
        *,
        self_weight=0.9,
        n_subspaces=2,
        orthogonality_alpha=0.1,
        hidden_layer_sizes=(32, 32, 32),
        activation="relu",
    ):
        self.self_weight = self_weight
        self.n_subspaces = n_subspaces
        self.orthogonality_alpha = orthogonality_alpha
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation

    def build(self, shape, seeds, members):
        widths = self._widths("hidden_layer_sizes", at_least=1)
        if len(set(widths)) > 1 or widths[0] % self.n_subspaces:
            raise ValueError(
                "a sluice network mixes its hidden layers and divides each into n_subspaces="
                f"{self.n_subspaces} parts: hidden_layer_sizes must hold one width only, a "
                f"multiple of {self.n_subspaces}, got {self.hidden_layer_sizes!r}."
            )
        return StitchedNetwork(
            shape.n_tasks,
            shape.n_inputs,
            shape.n_outputs,
            seeds=seeds,
            hidden_layer_sizes=widths,
            activation=self.activation,
            self_weight=self.self_weight,
            sluice=True,
            n_subspaces=self.n_subspaces,
            orthogonality_alpha=members["orthogonality_alpha"],
        )
