"""The Pareto hypernetwork: a preference in, all parameters of a multi-task network out.

Source: Lin, Yang, Zhang and Kwong, "Controllable Pareto multi-task learning", 2020, section 5.1.
"""

import math

import torch
from torch import nn

from skmtl.nn._members import MemberModule, kaiming_bound, member_generators, uniform

# parameters of the hypernetwork, as a multiple of those of the network that it generates
_BUDGET = 1.1
# share of these parameters that chunk embeddings have
_EMBEDDING_SHARE = 0.03
# where the budget allows less than the smallest width, the network is so small that a hypernetwork
# of the width for small networks costs next to nothing
_FEWEST_CHUNKS, _SMALLEST_WIDTH, _WIDTH_OF_SMALL = 8, 8, 32
_MOST_CHUNKS = 64
# largest number of parameters of a network that is not split into chunks by default: without
# chunks, its hypernetwork costs little and lets the networks of preferences differ more
_LARGEST_WHOLE = 20_000
# initial standard deviation of the preference's contribution to the coefficients of a chunk
_INITIAL_SPREAD = 0.2


def chunk_plan(size, n_tasks, width=None):
    """Choose the numbers of chunks and hidden units, for about 1.1 `size` parameters at most."""
    n_chunks = int(math.sqrt(_EMBEDDING_SHARE * size))
    n_chunks = min(max(n_chunks, _FEWEST_CHUNKS), _MOST_CHUNKS)
    if width is None:
        # chunks are of equal length, so the last one may be padded
        used = n_chunks * math.ceil(size / n_chunks) + n_chunks**2 + n_chunks
        width = int((_BUDGET * size - used) / (n_tasks + 2 * n_chunks + 1))
        width = width if width >= _SMALLEST_WIDTH else _WIDTH_OF_SMALL
    return n_chunks, width


class ParetoNetwork(MemberModule):
    """A hypernetwork that generates a network for every preference, given as `rays` (M, P, T).

    Rays have sum 1. Chunk c of the parameters is ``theta_c(p) = W a_c(p)``, with a projection W
    that all chunks share and ``a_c(p) = z_c + O (h(p) * V z_c)``, where z_c is an embedding of the
    chunk and h(p) the last hidden layer of a small network. At the start the embeddings are unit
    vectors and the columns of W the chunks of a well-initialised network, so that all preferences
    begin near it. `network` is the network to generate. With `compression` ("auto": if it has more
    than 20,000 parameters), it is generated in chunks by about as many parameters; otherwise there
    is one chunk, and W has one column more than h has units. The small network has
    `hypernet_layers` of `hypernet_width`; None is as wide as the budget allows, or 32 without
    compression. `trained` (M, T) marks the tasks that each member has trained on.
    """

    def __init__(
        self, network, n_tasks, *, seeds, compression="auto", hypernet_layers=1, hypernet_width=None
    ):
        super().__init__()
        if compression == "auto":
            compression = network.size > _LARGEST_WHOLE
        # the initial network was drawn by the generators of "initialisation"
        generators = member_generators(seeds, "noise")
        self.network, self.n_tasks = network, n_tasks
        if compression:
            n_chunks, width = chunk_plan(network.size, n_tasks, hypernet_width)
            n_columns = n_chunks
        else:
            n_chunks, width = 1, _WIDTH_OF_SMALL if hypernet_width is None else hypernet_width
            n_columns = width + 1
        self.register_buffer("trained", torch.ones(len(seeds), n_tasks, dtype=torch.bool))
        chunk_size = math.ceil(network.size / n_chunks)
        start = network.start()
        start = nn.functional.pad(start, (0, n_chunks * chunk_size - network.size))
        start = start.unflatten(1, (n_chunks, chunk_size))
        if n_columns > n_chunks:
            # the other columns: of the same size, and used by the preference's contribution only
            shape = n_columns - n_chunks, chunk_size
            draws = [torch.randn(shape, generator=g) for g in generators]
            size = start.square().mean((1, 2), keepdim=True).sqrt()
            start = torch.cat([start, torch.stack(draws) * size], dim=1)
        self.projection = nn.Parameter(start.clone())
        identity = torch.eye(n_chunks, n_columns)
        self.chunk_embeddings = nn.Parameter(identity.expand(len(seeds), -1, -1).clone())
        self.input_weight = uniform(generators, n_tasks, width, bound=math.sqrt(3 / n_tasks))
        # gates of variance 1 for every chunk, since its embedding is a unit vector
        self.chunk_weight = uniform(generators, n_columns, width, bound=math.sqrt(3.0))
        self.input_bias = uniform(generators, 1, width, bound=1.0)
        self.hidden_weights, self.hidden_biases = nn.ParameterList(), nn.ParameterList()
        bound = kaiming_bound(width) * math.sqrt(3)
        for _ in range(hypernet_layers - 1):
            self.hidden_weights.append(uniform(generators, width, width, bound=bound))
            self.hidden_biases.append(uniform(generators, 1, width, bound=0.0))
        bound = _INITIAL_SPREAD * math.sqrt(3 / width)
        self.output_weight = uniform(generators, width, n_columns, bound=bound)
        self.output_bias = uniform(generators, 1, n_columns, bound=0.0)

    def decayed_parameters(self):
        """Return the names without chunk embeddings, too: if they decayed, all weights would."""
        return [n for n in super().decayed_parameters() if n != "chunk_embeddings"]

    def mark_trained(self, trained):
        self.trained = trained

    def parameters_by_name(self):
        """Return the parameters by name, with an axis for preferences: (M, 1, ...)."""
        return {name: p.unsqueeze(1) for name, p in self.named_parameters()}

    def layer_names(self):
        """Return the names of weight and bias of each layer from the preference on, in order."""
        hidden = range(len(self.hidden_weights))
        names = [(f"hidden_weights.{n}", f"hidden_biases.{n}") for n in hidden]
        return [("input_weight", "input_bias"), *names]

    def layers(self, rays, parameters):
        """Compute the small network's layers from rays and `parameters_by_name`.

        Return the preferences (M, P, 1, T), scaled to mean 0 and a size that does not depend on T;
        the hidden layers (M, P, 1, width); gates (M, 1, chunks, width) that multiply the last one,
        so that the effect of a preference differs by chunk; and coefficients (M, P, chunks,
        columns) of W.
        """
        scaled = (self.n_tasks * rays - 1).unsqueeze(2)
        hidden = []
        for weight, bias in self.layer_names():
            read = hidden[-1] if hidden else scaled
            hidden.append(torch.tanh(read @ parameters[weight] + parameters[bias]))
        chunks = parameters["chunk_embeddings"]
        gates = chunks @ parameters["chunk_weight"]
        last = (hidden[-1] * gates) @ parameters["output_weight"]
        return scaled, hidden, gates, chunks + last + parameters["output_bias"]

    def from_coefficients(self, coefficients, parameters):
        """Generate the networks (M, P, N) from coefficients (M, P, chunks, columns)."""
        # one product: a product for each preference would copy the projection
        rows = coefficients.flatten(1, 2) @ parameters["projection"].squeeze(1)
        written = rows.unflatten(1, coefficients.shape[1:3])
        return written.flatten(2)[..., : self.network.size]

    def write(self, rays, parameters=None):
        """Generate the parameters (M, P, N) of the network of every preference."""
        if parameters is None:
            parameters = self.parameters_by_name()
        return self.from_coefficients(self.layers(rays, parameters)[-1], parameters)

    def evaluate(self, written, x, tasks, slots, metadata=None, shared_rows=False):
        """Evaluate generated networks (M, P, N) on blocks of rows: (M, P, K, b, n_outputs)."""
        n_members, n_preferences = written.shape[:2]

        def repeated(values):
            if values is None or n_preferences == 1:
                return values
            if n_members == 1:
                return values.expand(n_preferences, *values.shape[1:])
            return values.repeat_interleave(n_preferences, dim=0)

        if shared_rows:
            # a single block in memory
            x = repeated(x[:, :1]).expand(-1, x.shape[1], -1, -1)
        else:
            x = repeated(x)
        outputs = self.network(
            written.flatten(0, 1),
            repeated(self.trained),
            self.training,
            x,
            repeated(tasks),
            repeated(slots),
            repeated(metadata),
            shared_rows,
        )
        return outputs.unflatten(0, (n_members, n_preferences))

    def evaluate_copies(self, written, x, tasks, slots, metadata=None, shared_rows=False):
        """Evaluate block k, which is that of slot k, by network k of (M, P, K, N)."""
        lead = written.shape[:3]

        def apart(values):
            # a block, or slot, for each copy
            if values is None:
                return None
            return values.unsqueeze(1).expand(-1, lead[1], *values.shape[1:]).flatten(0, 2)[:, None]

        outputs = self.network(
            written.flatten(0, 2),
            self.trained.repeat_interleave(lead[1] * lead[2], dim=0),
            self.training,
            apart(x),
            apart(tasks),
            apart(torch.zeros_like(slots)),
            apart(metadata),
        )
        return outputs.unflatten(0, lead).squeeze(3)

    def forward(self, x, tasks, slots, metadata=None, shared_rows=False, rays=None):
        """Evaluate blocks of rows, see `evaluate`; without rays, by equal ones: (M, K, b, o)."""
        inputs = x, tasks, slots, metadata, shared_rows
        if rays is None:
            rays = x.new_full((len(x), 1, self.n_tasks), 1 / self.n_tasks)
            return self.evaluate(self.write(rays), *inputs).squeeze(1)
        return self.evaluate(self.write(rays), *inputs)

    @torch.no_grad()
    def at(self, rays):
        """Return the networks of all members for preferences (P, T), as M * P members."""
        # in double precision, as for all predictions
        parameters = {name: p.double() for name, p in self.parameters_by_name().items()}
        rays = rays.to(self.projection.device).double().expand(self.n_members, -1, -1)
        written = self.write(rays, parameters).flatten(0, 1)
        trained = self.trained.repeat_interleave(rays.shape[1], dim=0)
        plain = self.network.plain(written, trained)
        return FixedNetworks(self.network, written, trained) if plain is None else plain


class FixedNetworks(MemberModule):
    """Networks whose parameters (M, N) have been generated."""

    def __init__(self, network, written, trained):
        super().__init__()
        self.network = network
        self.written = nn.Parameter(written.clone())
        self.register_buffer("trained", trained)

    def forward(self, x, tasks, slots, metadata=None, shared_rows=False):
        values = self.written, self.trained, self.training
        return self.network(*values, x, tasks, slots, metadata, shared_rows)
