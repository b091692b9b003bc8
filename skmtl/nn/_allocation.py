"""Allocation of components to tasks: learned probabilities, sampled in training.

Source: Maziarz et al., "Flexible multi-task networks by learning parameter allocation", section
III, and the code published with it.
"""

import copy

import torch
from torch import nn
from torch.nn import functional as F

from skmtl.nn._members import (
    MemberLinear,
    MemberModule,
    keep_first,
    member_generators,
    take_members,
    trained_shares,
)
from skmtl.nn._noise import STEPS_AHEAD, draw_noise

# temperatures of the paper's schedule, 50 / sqrt(t + 1) down to 0.5 after 10,000 task updates
START, FLOOR, UPDATES_TO_FLOOR = 50.0, 0.5, 10_000
# largest number of epochs whose probabilities are recorded
_EPOCHS_KEPT = 100
# hidden units of the network that reads metadata
_WIDTH = 16


class Allocation(MemberModule):
    """M matrices of allocation probabilities, tasks by components.

    `initial` (M, T, C) are the probabilities at the start; with `n_metadata` they also come to
    depend on metadata. `fixed` (M, T, C) holds allocations that are not learned, and NaN for
    members that learn theirs. These settings are per member: `temperature`, a schedule ("planned",
    "paper") or a constant; `budget`, the share of connections that may be on, with the strength of
    its penalty; and `multiplier`, the learning rate of the logits as a multiple of the network's,
    None for the number of tasks. The `logits` (M, T, C, 2) are those of on and off, as in the
    paper. Temperature and noise depend on the numbers of `steps` and of task `updates` (M,) so far.
    """

    changing_attributes = ("trace", "_epoch", "_stride")

    def __init__(
        self,
        n_tasks,
        n_components,
        *,
        seeds,
        n_metadata=0,
        generators=None,
        initial,
        fixed=None,
        temperature,
        budget,
        budget_penalty,
        multiplier,
    ):
        super().__init__()
        n_members = len(seeds)
        self.logits = nn.Parameter(torch.stack([initial.log(), (-initial).log1p()], dim=-1))
        self.metadata_layers = None
        if n_metadata:
            self.metadata_layers = nn.ModuleList(
                [
                    MemberLinear(n_metadata, _WIDTH, generators),
                    # zero at the start, so that every task starts with the initial probabilities
                    MemberLinear(_WIDTH, 2 * n_components, generators, bound=0.0),
                ]
            )
        self.multiplier = multiplier
        like = self.logits
        if fixed is None:
            fixed = torch.full_like(initial, torch.nan)
        self.learns = bool(fixed.isnan().any())
        self.register_buffer("fixed", fixed.to(like))
        self.register_buffer("trained", torch.ones(n_members, n_tasks, dtype=torch.bool))
        planned = [value == "planned" for value in temperature]
        constant = [FLOOR if isinstance(value, str) else float(value) for value in temperature]
        start = [
            START if isinstance(value, str) else c
            for value, c in zip(temperature, constant, strict=True)
        ]
        self.register_buffer("planned", torch.tensor(planned))
        self.register_buffer("start", torch.tensor(start, dtype=torch.float64))
        self.register_buffer("floor", torch.tensor(constant, dtype=torch.float64))
        self.register_buffer("budget", torch.as_tensor(budget).to(like).reshape(-1))
        self.register_buffer("strength", torch.as_tensor(budget_penalty).to(like).reshape(-1))
        self.budgeted = bool(((self.budget < 1) & (self.strength > 0)).any()) and n_components > 0
        noise_seeds = [g.initial_seed() for g in member_generators(seeds, "noise")]
        self.register_buffer("seeds", torch.tensor(noise_seeds, dtype=torch.int64))
        self.register_buffer("numbers", torch.arange(n_members))
        self.register_buffer("steps", torch.zeros(n_members, dtype=torch.int64))
        self.register_buffer("updates", torch.zeros(n_members, dtype=torch.float64))
        self.register_buffer("n_steps", torch.ones(n_members, dtype=torch.float64))
        self.register_buffer("task_counts", torch.full((n_members,), n_tasks))
        # filled in training only; the loop restores the earlier values afterwards
        self.register_buffer("chunk", torch.full((n_members,), -1))
        self.register_buffer("noise", torch.zeros(n_members, 0, n_tasks, n_components))
        self.register_buffer("metadata", None)
        self.trace, self._epoch, self._stride = [], 0, 1
        self._present = self._share_on = None
        # seeds of every member, if allocations are to be sampled outside training
        self.sample_seeds = None

    def keep_tasks(self, n_tasks):
        keep_first(self, n_tasks, "logits", "fixed", "trained", "metadata")
        self.noise = self.noise[:, :, :n_tasks].clone()
        self.task_counts = self.task_counts.clamp(max=n_tasks)

    def mark_trained(self, trained):
        self.trained = trained
        last = torch.arange(1, trained.shape[1] + 1, device=trained.device)
        self.task_counts = (last * trained).amax(1)

    def prepare(self, n_steps, metadata=None):
        self.n_steps = n_steps.to(self.updates)
        if metadata is not None:
            self.metadata = metadata.expand(self.n_members, -1, -1).clone()

    def rate_factors(self):
        """Return the multiple of the learning rate, per member."""
        tasks = self.trained.sum(1).tolist()
        pairs = zip(self.multiplier, tasks, strict=True)
        return torch.tensor([float(n if value is None else value) for value, n in pairs])

    def temperature(self):
        """Return the temperature of every member, shape (M,)."""
        # the floor is reached after half of the planned steps, whatever their number
        planned = 2 * UPDATES_TO_FLOOR * self.steps / self.n_steps
        updates = torch.where(self.planned, planned, self.updates)
        return torch.maximum(self.start / (updates + 1).sqrt(), self.floor)

    def after_step(self, active, slots):
        """Count a step and its task updates."""
        updates = slots.amax(1) + 1
        if active is None:
            self.steps = self.steps + 1
        else:
            self.steps = self.steps + active
            updates = updates * active
        self.updates = self.updates + updates

    def after_epoch(self, active):
        """Record the probabilities of the active members."""
        self._epoch += 1
        if self._epoch % self._stride and self._epoch > 1:
            return
        with torch.no_grad():
            values = self.probabilities()[active].float().cpu().numpy()
        self.trace.append((self._epoch, self.numbers[active].cpu().numpy(), values))
        if len(self.trace) > _EPOCHS_KEPT:
            self._stride *= 2
            self.trace = [e for e in self.trace if e[0] == 1 or e[0] % self._stride == 0]

    def double_copy(self):
        """Return a copy in double precision, in which predictions are made."""
        return copy.deepcopy(self).double().eval()

    def log_odds(self, tasks, metadata=None):
        """Return the log-odds (M, S, C) that components are on; the mean for unseen tasks (-1)."""
        logits = take_members(self.logits, tasks if self.training else tasks.clamp(min=0))
        if not self.training:
            unseen = tasks[..., None, None] < 0
            if bool(unseen.any()):
                share = trained_shares(self.trained, self.logits)
                mean = (share[..., None, None] * self.logits).sum(1, keepdim=True)
                logits = torch.where(unseen, mean, logits)
        if self.metadata_layers is not None:
            h = F.relu(self.metadata_layers[0](metadata))
            logits = logits + self.metadata_layers[1](h).unflatten(2, logits.shape[2:])
        return logits[..., 0] - logits[..., 1]

    def probabilities(self, tasks=None, metadata=None):
        """Return probabilities (M, S, C) that components are on, 0 and 1 if they are fixed."""
        if tasks is None:
            tasks = torch.arange(self.logits.shape[1], device=self.logits.device)
            tasks, metadata = tasks.expand(self.n_members, -1), self.metadata
        learned = torch.sigmoid(self.log_odds(tasks, metadata))
        return torch.where(self._fixed(tasks).isnan(), learned, self._fixed(tasks))

    def _fixed(self, tasks):
        """Return fixed allocations; an unseen task uses the components that most tasks use."""
        fixed = take_members(self.fixed, tasks.clamp(min=0))
        unseen = tasks.unsqueeze(2) < 0
        if self.training or not bool(unseen.any()):
            return fixed
        share = trained_shares(self.trained, fixed)
        mean = (share.unsqueeze(2) * self.fixed).sum(1, keepdim=True)
        return torch.where(unseen, torch.where(mean.isnan(), mean, (mean >= 0.5).to(mean)), fixed)

    def forward(self, tasks, slots, metadata=None):
        """Return allocations (M, S, C): sampled in training, the most likely ones otherwise.

        The value is 0 or 1; its gradient is that of the softmax (straight-through).
        """
        if not self.training:
            return self._outside_training(tasks, metadata)
        fixed = take_members(self.fixed, tasks)
        if not self.learns:
            return fixed
        odds = self.log_odds(tasks, metadata)
        if self.budgeted:
            # slots beyond the distinct tasks of the batch are empty
            numbers = torch.arange(tasks.shape[1], device=tasks.device)
            self._present = numbers <= slots.amax(1, keepdim=True)
            self._share_on = torch.sigmoid(odds).mean(2)
        tau = self.temperature().to(odds.dtype)[:, None, None]
        soft = torch.sigmoid((odds + take_members(self._next_noise(), tasks)) / tau)
        hard = (soft >= 0.5).to(soft.dtype)
        # the bracket is exactly zero, so that the weight of a component that is off is exactly zero
        sampled = hard + (soft - soft.detach())
        return torch.where(fixed.isnan(), sampled, fixed)

    def _outside_training(self, tasks, metadata):
        probabilities = self.probabilities(tasks, metadata)
        if self.sample_seeds is None:
            return (probabilities >= 0.5).to(probabilities.dtype)
        draws = []
        for seed in self.sample_seeds:
            generator = torch.Generator().manual_seed(seed)
            shape = self.logits.shape[1] + 1, self.logits.shape[2]
            draws.append(torch.rand(shape, generator=generator, dtype=torch.float64))
        draws = torch.stack(draws).to(probabilities)
        # unseen tasks use the last row
        draws = take_members(draws, torch.where(tasks < 0, self.logits.shape[1], tasks))
        return (draws < probabilities).to(probabilities.dtype)

    def _next_noise(self):
        """Return the noise of the next step, shape (M, T, C)."""
        chunk = torch.div(self.steps, STEPS_AHEAD, rounding_mode="floor")
        if not torch.equal(chunk, self.chunk):
            stale = (chunk != self.chunk).nonzero().squeeze(1)
            shape = (self.n_members, STEPS_AHEAD, *self.noise.shape[2:])
            table = self.noise if self.noise.shape[1] else self.logits.new_zeros(shape)
            stale_values = (v[stale].tolist() for v in (self.seeds, chunk, self.task_counts))
            drawn = draw_noise(*stale_values, shape[-1])
            table[stale, :, : drawn.shape[2]] = drawn.to(table)
            self.noise, self.chunk = table, chunk
        return take_members(self.noise, (self.steps % STEPS_AHEAD).unsqueeze(1)).squeeze(1)

    def step_penalty(self):
        """Return the mean over tasks of ``strength * max(0, share on - budget)``, section III.D."""
        if self._share_on is None:
            return None
        over = (self._share_on - self.budget.unsqueeze(1)).clamp(min=0) * self._present
        penalty = self.strength * over.sum(1) / self._present.sum(1)
        self._share_on = self._present = None
        return penalty
