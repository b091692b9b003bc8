"""A modular network that learns which components each task uses (Gumbel-Matrix)."""

import math
from numbers import Integral, Real

import numpy as np
import torch

from skmtl._sklearn_compat import Interval, StrOptions
from skmtl.architectures._base import Architecture
from skmtl.architectures._layers import ACTIVATION
from skmtl.architectures._patterns import (
    allocation_pattern,
    probability_pattern,
    stacked_patterns,
)
from skmtl.nn import GumbelNetwork
from skmtl.training._device import in_own_state

# multiple of the learning rate for the allocation if each step trains all tasks: with 1, components
# become similar before tasks can separate, and nearly all connections stay on
_MULTIPLIER = 10.0


class GumbelMatrix(Architecture):
    """A modular network that learns which components each task uses.

    The network consists of layers, each of several components. Every task uses a subset of the
    components of each layer, and the subsets are learned together with the weights.
    `GumbelMatrixRegressor` and `GumbelMatrixClassifier` have these parameters themselves.

    Parameters
    ----------
    layers : tuple, default=((32, 32), 32)
        Modular layers: for each, the widths of the dense layers of a component, as a tuple, or as
        an int for one.
    n_components : int or tuple of int, default=4
        Number of components of every layer, or of each. A layer of one is shared by all tasks.
    components : list of lists or None, default=None
        The components of each layer one by one, instead of `layers` and `n_components`: a tuple of
        widths, "identity", or a callable that takes the width of its input and returns a torch
        module that maps (n, width) to (n, w). All outputs of a layer must have the same width.
    heads : {"auto", "own", "shared", "none"}, default="auto"
        What follows the last layer: a linear model for each task, one for all tasks, or nothing, so
        that tasks that use the same components are the same function. "auto" is "own" without
        metadata, and "shared" with metadata, which allows for unseen tasks.
    activation : {"relu", "silu", "tanh", "logistic", "identity"}, default="relu"
        Activation after the dense layers of components, their last one included.
    allocation : {"learned", "shared", "separate"} or array of shape (n_tasks, n), default="learned"
        The components that each task uses: learned; all; a separate part of every layer for each
        task; or an array of 0 and 1, with a row for each task in the order of ``tasks_`` (or a
        DataFrame indexed by task), and a column for each component of all layers, or of one layer
        if all have the same pattern.
    initial_probability : float or array of shape (n_tasks, n), default=0.5
        Probability, before training, that a task uses a component; shapes as for `allocation`. With
        values closer to 1, deep networks train better.
    budget : float, default=1.0
        Share of the connections that may be on without a penalty.
    budget_penalty : float, default=1.0
        Strength of the penalty: this times the expected share above the budget is added to the mean
        loss.
    temperature : {"planned", "paper"} or float, default="planned"
        Temperature of the softmax through which gradients pass: 50 / sqrt(t + 1) down to 0.5, where
        t counts updates of tasks ("paper"), so that it takes 10,000 of them to reach the floor; the
        same curve scaled such that the floor is reached after half of `max_iter` epochs
        ("planned"); or constant.
    router_multiplier : float or "auto", default="auto"
        Learning rate of the allocation, as a multiple of `learning_rate_init`. "auto" is 10, or
        with ``task_schedule="one"`` the number of tasks, as in the paper.
    task_schedule : {"all", "one"}, default="all"
        Whether a step trains all tasks of a batch, or one, as in the paper: tasks take turns in
        shuffled rounds.
    clip_norm : float or None, default=None
        Largest norm of each member's gradient; longer gradients are scaled down to it.

    Notes
    -----
    Section III of [1]_; formulas and departures are in the notes of
    :class:`skmtl.GumbelMatrixRegressor`. All parameters but the first five and `task_schedule` may
    differ between members.

    References
    ----------
    .. [1] Maziarz, Kokiopoulou, Gesmundo, Sbaiz, Bartok and Berent, "Flexible multi-task networks
       by learning parameter allocation", ICLR workshop on neural architecture search, 2020.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import GumbelMatrix
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(GumbelMatrix(), task_id="task", max_iter=20, random_state=0)
    >>> model.fit(cubic.data, cubic.target).task_embeddings_.shape
    (4, 8)
    """

    _parameter_constraints = {
        "layers": ["array-like", Interval(Integral, 1, None, closed="left")],
        "n_components": ["array-like", Interval(Integral, 1, None, closed="left")],
        "components": ["array-like", None],
        "heads": [StrOptions({"auto", "own", "shared", "none"})],
        "activation": ACTIVATION,
        "allocation": [StrOptions({"learned", "shared", "separate"}), "array-like"],
        "initial_probability": [Interval(Real, 0, 1, closed="neither"), "array-like"],
        "budget": [Interval(Real, 0, 1, closed="right")],
        "budget_penalty": [Interval(Real, 0, None, closed="left")],
        "temperature": [
            StrOptions({"planned", "paper"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "router_multiplier": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "task_schedule": [StrOptions({"all", "one"})],
        "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
    }
    member_parameters = (
        "allocation",
        "initial_probability",
        "budget",
        "budget_penalty",
        "temperature",
        "router_multiplier",
        "clip_norm",
    )

    def __init__(
        self,
        *,
        layers=((32, 32), 32),
        n_components=4,
        components=None,
        heads="auto",
        activation="relu",
        allocation="learned",
        initial_probability=0.5,
        budget=1.0,
        budget_penalty=1.0,
        temperature="planned",
        router_multiplier="auto",
        task_schedule="all",
        clip_norm=None,
    ):
        self.layers = layers
        self.n_components = n_components
        self.components = components
        self.heads = heads
        self.activation = activation
        self.allocation = allocation
        self.initial_probability = initial_probability
        self.budget = budget
        self.budget_penalty = budget_penalty
        self.temperature = temperature
        self.router_multiplier = router_multiplier
        self.task_schedule = task_schedule
        self.clip_norm = clip_norm

    def _component_lists(self):
        return component_lists(self.layers, self.n_components, self.components)

    def task_settings(self, tasks):
        sizes = [len(layer) for layer in self._component_lists()]
        return {
            "fixed": allocation_pattern(self.allocation, tasks, sizes),
            "initial": probability_pattern(self.initial_probability, tasks, sizes),
        }

    def loop_settings(self, members):
        settings = {"one_task": self.task_schedule == "one"}
        if any(norm is not None for norm in members["clip_norm"]):
            settings["clip_norm"] = [math.inf if n is None else n for n in members["clip_norm"]]
        return settings

    def build(self, shape, seeds, members):
        dtype = torch.get_default_dtype()
        heads = self.heads
        if heads == "auto":
            heads = "shared" if shape.n_metadata else "own"
        fixed = stacked_patterns(members["fixed"], shape.n_tasks, np.nan)
        initial = stacked_patterns(members["initial"], shape.n_tasks, 0.5)
        automatic = _MULTIPLIER if self.task_schedule == "all" else None
        return GumbelNetwork(
            shape.n_tasks,
            shape.n_features,
            shape.n_metadata,
            shape.n_outputs,
            seeds=seeds,
            components=self._component_lists(),
            activation=self.activation,
            heads=heads,
            initial=torch.as_tensor(initial, dtype=dtype),
            fixed=torch.as_tensor(fixed, dtype=dtype),
            temperature=list(members["temperature"]),
            budget=torch.tensor(members["budget"], dtype=dtype),
            budget_penalty=torch.tensor(members["budget_penalty"], dtype=dtype),
            multiplier=[
                automatic if value == "auto" else value for value in members["router_multiplier"]
            ],
        )

    def task_embeddings(self, module):
        return allocation_probabilities(module) >= 0.5


@in_own_state
def allocation_probabilities(module):
    """Return the probabilities that components are on, shape (M, T, C)."""
    with torch.no_grad():
        values = module.full(module.allocation.double_copy().probabilities())
    return values.cpu().numpy()


def _widths(value, name):
    widths = (value,) if isinstance(value, Integral) else tuple(value)
    if not widths or not all(isinstance(w, Integral) and w > 0 for w in widths):
        raise ValueError(
            f"{name} must be a positive integer, or a tuple of them for the dense layers of a "
            f"component; got {value!r}."
        )
    return tuple(int(width) for width in widths)


def component_lists(layers, n_components, components):
    """Return the components of every layer, as `GumbelNetwork` takes them.

    Parameters
    ----------
    layers, n_components, components
        Parameters of the estimators.

    Returns
    -------
    list of lists
    """
    if components is None:
        layers = [layers] if isinstance(layers, Integral) else list(layers)
        numbers = n_components
        if isinstance(numbers, Integral):
            numbers = [numbers] * len(layers)
        if len(numbers) != len(layers) or not all(
            isinstance(n, Integral) and n > 0 for n in numbers
        ):
            raise ValueError(
                "n_components must be a positive integer, or one for each of the "
                f"{len(layers)} layers; got {n_components!r}."
            )
        if not layers:
            raise ValueError("layers is empty; there must be one modular layer at least.")
        pairs = zip(layers, numbers, strict=True)
        return [[_widths(layer, "layers")] * int(number) for layer, number in pairs]
    lists = [list(layer) for layer in components]
    if not lists or not all(lists):
        raise ValueError(
            "components must be a list with a list for each layer, and every layer needs at least "
            f"one component; got {components!r}."
        )
    return [[_component(item) for item in layer] for layer in lists]


def _component(item):
    if isinstance(item, str):
        if item != "identity":
            raise ValueError(
                f"a component is a tuple of widths, 'identity' or a callable; got {item!r}."
            )
        return item
    return item if callable(item) else _widths(item, "a component")
