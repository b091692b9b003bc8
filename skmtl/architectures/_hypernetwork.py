"""A hypernetwork, which generates one small network per task from an embedding and metadata."""

from numbers import Integral, Real

from skmtl._sklearn_compat import Interval, StrOptions
from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import LAYERS
from skmtl.nn import ACTIVATIONS, LevelHypernetwork, TaskHypernetwork

# pull in training on embeddings that are estimated afterwards
_PULL = 10.0


class Hypernetwork(Architecture):
    """A hypernetwork, which generates one small network per task.

    Every task has a learned embedding and, if there are any, metadata. A hypernetwork shared by all
    tasks maps them to the weights of a small network, which predicts the rows of that task.
    `MultiTaskHypernetRegressor` and `MultiTaskHypernetClassifier` have these parameters themselves.

    Parameters
    ----------
    embedding_dim : int or dict, default=10
        Length of the embedding of a task; 0 to distinguish tasks by their metadata only. With
        several levels of ids also a dict by level.
    embedding_init : {"auto", "common", "apart"} or dict, default="auto"
        Initial embeddings: the same random draw for all tasks, as in the paper, so that tasks
        differ only as far as their rows require, or a separate draw for each, so that tasks differ
        from the start. "auto" is "apart" in wide form, where tasks are few and have many rows, and
        "common" otherwise. With several levels also a dict by level.
    embedding_alpha : float, "estimated" or dict, default=0.3
        Strength of the shrinkage of embeddings towards their mean, as partial pooling in a mixed
        model: ``embedding_alpha`` times the squared distance is added to the sum of the losses (of
        y in standard deviations), so that it matters less the more rows a task has. With several
        levels also a dict by level; in nested ones an inner embedding is pulled to its outer one.
        "estimated": 10 in training, after which embeddings are estimated again with all else
        frozen, by level, as random effects whose covariance matrix is estimated, too. For many
        tasks with few rows. May differ between members.
    hidden_layer_sizes : tuple of int, default=(32, 32, 32)
        Hidden layers of a task's network.
    hypernet_layers : int, default=0
        Number of layers of the feature extractor of the hypernetwork. With 0, weights are linear in
        the embedding and the metadata; with more layers, they can depend on metadata nonlinearly.
    hypernet_width : int, default=32
        Width of those layers.
    activation : {"auto", "relu", "silu", "tanh", "logistic", "identity"}, default="auto"
        Activation of the tasks' networks. "auto" trains members with silu and with tanh, and keeps
        the one with the smallest validation loss, if there are validation rows and 100 to 3,000
        training labels; otherwise it is silu. The paper uses relu. May differ between members.
    compression : bool, default=True
        Whether the weight generators use the three-factor form of the paper, which has far fewer
        parameters than a full linear map.
    target_bias : {"folded", "plain"}, default="folded"
        Source of the biases of the tasks' networks: a row of the generated weights, as in the
        paper, or a separate linear map, as in the code published with it.
    init : {"kaiming", "hyperfan"}, default="kaiming"
        Initial weights of the generators: each factor as a linear layer of its shape, or such that
        the generated weights have the variance that the tasks' networks need [2]_.
    linear_skip : bool, default=True
        Whether a generated linear model, zero at the start, is added to each network: intercepts
        and slopes that vary between tasks, as in a mixed model. Not in the paper.
    interaction_alpha : float, default=1000.0
        Strength of the penalty on that model's dependence of slopes on metadata: this times the
        squared coefficients is added to the sum of the losses (y, features and metadata in standard
        deviations). With 1000 the metadata hardly change slopes, except through the networks, and
        change intercepts freely. Without the penalty (0) slopes overfit the metadata of the
        training tasks, which harms unseen tasks. May differ between members.

    Notes
    -----
    The network of task t is ``theta_t = h(e_t, m_t)``, section 2 of [1]_; formulas and departures
    are in the notes of :class:`skmtl.MultiTaskHypernetRegressor`.

    References
    ----------
    .. [1] "Multi-task learning with hypernetworks and task metadata", under review, 2024.
    .. [2] Chang, Flokas and Lipson, "Principled weight initialization for hypernetworks",
       ICLR 2020.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import Hypernetwork
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
    >>> model = MultiTaskRegressor(
    ...     Hypernetwork(),
    ...     task_id=cubic.task_id,
    ...     metadata=cubic.metadata,
    ...     max_iter=20,
    ...     random_state=0,
    ... )
    >>> model.fit(cubic.data, cubic.target).task_embeddings_.shape
    (20, 10)
    """

    _parameter_constraints = {
        **LAYERS,
        "activation": [StrOptions({"auto", *ACTIVATIONS})],
        "embedding_dim": [Interval(Integral, 0, None, closed="left"), dict],
        "embedding_init": [StrOptions({"auto", "common", "apart"}), dict],
        "embedding_alpha": [
            Interval(Real, 0, None, closed="left"),
            StrOptions({"estimated"}),
            dict,
        ],
        "hypernet_layers": [Interval(Integral, 0, None, closed="left")],
        "hypernet_width": [Interval(Integral, 1, None, closed="left")],
        "compression": ["boolean"],
        "target_bias": [StrOptions({"folded", "plain"})],
        "init": [StrOptions({"kaiming", "hyperfan"})],
        "linear_skip": ["boolean"],
        "interaction_alpha": [Interval(Real, 0, None, closed="left")],
    }
    member_parameters = ("activation", "embedding_alpha", "interaction_alpha")
    _parameters_before = {"embedding_init": "common", "interaction_alpha": 0.0}
    adapts = several_levels = True

    def __init__(
        self,
        *,
        embedding_dim=10,
        embedding_init="auto",
        embedding_alpha=0.3,
        hidden_layer_sizes=(32, 32, 32),
        hypernet_layers=0,
        hypernet_width=32,
        activation="auto",
        compression=True,
        target_bias="folded",
        init="kaiming",
        linear_skip=True,
        interaction_alpha=1000.0,
    ):
        self.embedding_dim = embedding_dim
        self.embedding_init = embedding_init
        self.embedding_alpha = embedding_alpha
        self.hidden_layer_sizes = hidden_layer_sizes
        self.hypernet_layers = hypernet_layers
        self.hypernet_width = hypernet_width
        self.activation = activation
        self.compression = compression
        self.target_bias = target_bias
        self.init = init
        self.linear_skip = linear_skip
        self.interaction_alpha = interaction_alpha

    def build(self, shape, seeds, members):
        if shape.levels:
            return self._build_levels(shape, seeds, members)
        if self.embedding_dim + shape.n_metadata == 0:
            raise ValueError(
                "embedding_dim=0 leaves nothing that tells tasks apart: pass metadata=, or an "
                "embedding_dim of at least 1."
            )
        if shape.wide and self.embedding_alpha == "estimated":
            raise ValueError(
                "embedding_alpha='estimated' is for tasks with rows of their own; in wide form "
                "give a number."
            )
        apart = self.embedding_init == "apart"
        if self.embedding_init == "auto":
            apart = shape.wide and shape.n_tasks > 1
        settings = self._settings(seeds, members)
        return TaskHypernetwork(
            shape.n_tasks,
            shape.n_features,
            shape.n_metadata,
            shape.n_outputs,
            seeds=seeds,
            embeddings_apart=apart,
            **settings,
        )

    def _settings(self, seeds, members):
        """Return the arguments that modules have in common."""
        settings = self.get_params(deep=False)
        del settings["embedding_init"]
        members = {"activation": [self.activation] * len(seeds), **members}
        # no validation has chosen for these members
        activation = ["silu" if name == "auto" else name for name in members["activation"]]
        widths = self._widths("hidden_layer_sizes")
        settings |= members
        alphas = settings["embedding_alpha"]
        alphas = alphas if isinstance(alphas, list) else [alphas] * len(seeds)
        # dicts are by level
        numbers = [_PULL if isinstance(a, str) else a for a in alphas]
        settings["embedding_alpha"] = numbers
        return settings | {"activation": activation, "hidden_layer_sizes": widths}

    def _build_levels(self, shape, seeds, members):
        """Return a module with a table of embeddings for each level."""
        settings = self._settings(seeds, members)
        alphas, dims = settings.pop("embedding_alpha"), settings.pop("embedding_dim")

        def of(value, name):
            return value[name] if isinstance(value, dict) else value

        dims = [of(dims, name) for name in shape.levels]
        if sum(dims) + shape.n_metadata == 0:
            raise ValueError(
                "embedding_dim=0 leaves nothing that tells ids apart: pass metadata=, or an "
                "embedding_dim of at least 1 for some level."
            )
        return LevelHypernetwork(
            shape.level_sizes,
            shape.n_features,
            shape.n_metadata,
            shape.n_outputs,
            seeds=seeds,
            embedding_dims=dims,
            embedding_alphas=[[of(alpha, name) for alpha in alphas] for name in shape.levels],
            apart=[of(self.embedding_init, name) == "apart" for name in shape.levels],
            nested=shape.nested,
            **settings,
        )

    def task_embeddings(self, module):
        if len(module.tables()) > 1:
            return [table.detach().cpu().numpy() for table in module.tables()]
        return module.embeddings.detach().cpu().numpy()
