"""A hypernetwork that generates all parameters of a network from a preference."""

from numbers import Integral

from skmtl._sklearn_compat import Interval, StrOptions
from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import LAYERS
from skmtl.nn import ParetoNetwork, WrittenModule, WrittenSharedBottom


class ParetoHypernetwork(Architecture):
    """A hypernetwork that generates all parameters of a network from a preference.

    Its steps must draw preferences, so only :class:`skmtl.ParetoHypernet` trains it; formulas and
    sources are in the notes there.

    Parameters
    ----------
    network : callable or None, default=None
        Function that returns the network to generate instead of the built-in one, a
        ``torch.nn.Module``, such as ``torch.nn.Linear``. Its arguments are the numbers of features
        and of outputs (tasks times outputs of each, those of a task next to each other). The module
        maps rows to outputs, and is evaluated preference by preference. Modules whose buffers
        change in ``forward`` are rejected.
    hidden_layer_sizes : tuple of int, default=(32, 32, 32)
        Layers of the encoder that all tasks share; heads are linear.
    activation : {"relu", "silu", "tanh", "logistic", "identity"}, default="relu"
        Activation of the encoder.
    compression : bool or "auto", default="auto"
        Whether the network is generated in chunks by about as many parameters as it has. Otherwise
        every parameter is a linear map of a hidden layer, as in [2]_: with a width of 32 that is 33
        times as many. "auto" generates networks of more than 20,000 parameters in chunks.
    hypernet_layers : int, default=1
        Number of hidden layers of the small network that reads the preference.
    hypernet_width : int or "auto", default="auto"
        Width of these layers. "auto" is as wide as 1.1 times the parameters of the generated
        network allow, at least 8; without compression it is 32.
    """

    _parameter_constraints = {
        **LAYERS,
        "network": [callable, None],
        "compression": ["boolean", StrOptions({"auto"})],
        "hypernet_layers": [Interval(Integral, 1, None, closed="left")],
        "hypernet_width": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }
    fixed_tasks = True

    def __init__(
        self,
        *,
        network=None,
        hidden_layer_sizes=(32, 32, 32),
        activation="relu",
        compression="auto",
        hypernet_layers=1,
        hypernet_width="auto",
    ):
        self.network = network
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.compression = compression
        self.hypernet_layers = hypernet_layers
        self.hypernet_width = hypernet_width

    def build(self, shape, seeds, members):
        if self.network is not None:
            if shape.n_metadata:
                raise ValueError(
                    "network= reads the features of rows only; metadata= needs the built-in "
                    "network. Leave one of them out."
                )
            written = WrittenModule(
                self.network, shape.n_tasks, shape.n_features, shape.n_outputs, seeds=seeds
            )
        else:
            written = WrittenSharedBottom(
                shape.n_tasks,
                shape.n_inputs,
                shape.n_outputs,
                seeds=seeds,
                hidden_layer_sizes=self._widths("hidden_layer_sizes"),
                activation=self.activation,
            )
        width = self.hypernet_width
        return ParetoNetwork(
            written,
            shape.n_tasks,
            seeds=seeds,
            compression=self.compression,
            hypernet_layers=self.hypernet_layers,
            hypernet_width=None if isinstance(width, str) else width,
        )
