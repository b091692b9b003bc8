"""Maximum roaming: each task uses some units of every shared layer, which change in training.

Source: Pascal, Michiardi, Bost, Huet and Zuluaga, "Maximum roaming multi-task learning", AAAI
2021, section 3.
"""

import torch
from torch import nn

from skmtl.nn._members import ACTIVATIONS, keep_first, member_generators, take_members
from skmtl.nn._shared import SharedBottomNetwork

_NEVER = 2**31 - 1


def roaming_plan(n_tasks, n_units, n_active, generator):
    """Draw the updates at which each task begins and ceases to use each unit, (n_tasks, n_units).

    Each task starts with `n_active` units; together, tasks use as many of the units as possible. At
    each update a task adds a unit that it has never used and drops one, both drawn uniformly, until
    it has used all. The plan does not depend on data. A unit is used after update u if begin <= u <
    cease.
    """
    begin = torch.full((n_tasks, n_units), _NEVER)
    cease = torch.full((n_tasks, n_units), _NEVER)
    # the units in random order, dealt to the tasks in turn
    dealt = torch.randperm(n_units, generator=generator)
    for task in range(n_tasks):
        first = dealt[task::n_tasks][:n_active]
        rest = torch.ones(n_units, dtype=torch.bool)
        rest[first] = False
        rest = rest.nonzero()[:, 0]
        rest = rest[torch.randperm(len(rest), generator=generator)]
        n_more = n_active - len(first)
        active = [*first.tolist(), *rest[:n_more].tolist()]
        begin[task, active] = 0
        draws = torch.rand(n_units, generator=generator)
        for update, unit in enumerate(rest[n_more:].tolist(), start=1):
            dropped = int(draws[update] * len(active))
            cease[task, active[dropped]] = update
            begin[task, unit] = update
            active[dropped] = unit
    return begin, cease


class RoamingNetwork(SharedBottomNetwork):
    """A trunk, of each layer of which every task uses an `active_fraction`, and a head per task.

    The units in use change every `roaming_interval` steps. The number of `steps` (M, 1) is a
    parameter that no loss depends on, because the units in use belong to the weights: where weights
    are averaged, or those of an earlier epoch are restored, so is the number of steps.
    """

    task_only = ("heads", "steps")
    # tasks use different units of the trunk
    gradient_form = None

    def __init__(self, *args, active_fraction, roaming_interval, **settings):
        super().__init__(*args, **settings)
        self.active_fraction = active_fraction
        self.roaming_interval = roaming_interval
        n_members = self.n_members
        self.steps = nn.Parameter(torch.zeros(n_members, 1))
        generators = member_generators(settings["seeds"], "initialisation")
        seeds = [torch.randint(2**31 - 1, (1,), generator=g) for g in generators]
        # seeds of the plan, so that it can be drawn again for fewer tasks
        self.register_buffer("plan_seeds", torch.cat(seeds))
        for n, width in enumerate(settings["hidden_layer_sizes"]):
            for name in ("begin", "cease"):
                empty = torch.full((n_members, self.n_tasks, width), _NEVER)
                self.register_buffer(f"{name}_{n}", empty)
        self._draw_plans(range(n_members))

    @property
    def resumed_buffers(self):
        """The plan, which a fit that continues another one keeps following."""
        numbers = range(len(self.trunk.layers))
        return tuple(f"{name}_{n}" for n in numbers for name in ("begin", "cease"))

    def _draw_plans(self, members):
        """Draw the plans of the given members for the tasks that they train."""
        for m in members:
            generator = torch.Generator().manual_seed(int(self.plan_seeds[m]))
            tasks = self.trained[m].nonzero()[:, 0]
            for n in range(len(self.trunk.layers)):
                begin, cease = getattr(self, f"begin_{n}"), getattr(self, f"cease_{n}")
                width = begin.shape[2]
                n_active = min(width, max(1, round(self.active_fraction * width)))
                plan = roaming_plan(len(tasks), width, n_active, generator)
                begin[m, tasks], cease[m, tasks] = (p.to(begin.device) for p in plan)

    def decayed_parameters(self):
        return [name for name in super().decayed_parameters() if name != "steps"]

    def keep_tasks(self, n_tasks):
        super().keep_tasks(n_tasks)
        keep_first(self, n_tasks, *self.resumed_buffers)

    def mark_trained(self, trained):
        """Draw plans again for members that do not train all tasks."""
        super().mark_trained(trained)
        self._draw_plans((~trained.all(1)).nonzero()[:, 0].tolist())

    @torch.no_grad()
    def after_step(self, active):
        self.steps += 1 if active is None else active.unsqueeze(1).to(self.steps.dtype)

    def masks(self):
        """Return the units that each task uses now: one (M, T, width) of bool for every layer."""
        updates = (self.steps.detach() / self.roaming_interval).floor().unsqueeze(2)
        masks = []
        for n in range(len(self.trunk.layers)):
            begin, cease = getattr(self, f"begin_{n}"), getattr(self, f"cease_{n}")
            masks.append((begin <= updates) & (updates < cease))
        return masks

    def features(self, x, tasks):
        y = x
        for layer, mask in zip(self.trunk.layers, self.masks(), strict=True):
            y = layer(y.flatten(1, 2)).unflatten(1, y.shape[1:3])
            y = ACTIVATIONS[self.activation](y) * take_members(mask, tasks).unsqueeze(2)
        return y
