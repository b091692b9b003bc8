"""Preference steps: draw preferences, solve for the weights of the losses, follow their sum."""

from contextlib import contextmanager

import numpy as np
import torch

from skmtl.nn import member_generators
from skmtl.nn._pareto_gradients import PreferenceGradients
from skmtl.nn._slots import sum_by
from skmtl.training._losses import constant_losses
from skmtl.training._steps import (
    StepRecords,
    Steps,
    add_gradients,
    backward,
    backward_penalties,
)
from skmtl.training._weighted_steps import WeightRecords
from skmtl.weighting._preferences import SOLVERS, ParetoSolver, normalised, of_equal_size

# of a criterion that is the same for all fits
_VALIDATION_SEED = 0
_LARGEST_GRID = 16


def get_solver(solver, n_reference_vectors=10, restoration=0.2):
    """Return the solver named; the numbers are for "pareto", see `ParetoSolver`."""
    if solver == "pareto":
        return ParetoSolver(n_reference_vectors, restoration)
    return SOLVERS[solver]()


def validation_preferences(n_tasks, concentration):
    """Return fixed preferences (P, T) that decide when to stop: even for two tasks, or drawn."""
    if n_tasks == 1:
        return np.ones((1, 1))
    if n_tasks == 2:
        first = (np.arange(8) + 0.5) / 8
        return np.column_stack([first, 1 - first])
    generator = np.random.default_rng(_VALIDATION_SEED)
    return generator.dirichlet(np.full(n_tasks, concentration), size=_LARGEST_GRID)


def usual_concentration(n_tasks):
    """Return a concentration with which single tasks dominate some of the draws."""
    return min(0.5, 2 / n_tasks)


class PreferenceSteps(Steps):
    """Train for many preferences at once, with the settings of `ParetoHypernet`.

    `preferences` (P, T), or (m, P, T) repeated over members, are the only ones to train for; by
    default they are drawn from a Dirichlet distribution of `concentration`, which by default
    depends on the number of tasks.
    """

    one_prediction = False
    # the losses of tasks are weighted by preferences
    validates_by_shares = False

    def __init__(
        self,
        *,
        solver="pareto",
        n_preferences=4,
        n_reference_vectors=10,
        restoration=0.2,
        concentration=None,
        preferences=None,
        weight_scale="none",
    ):
        self.solver = get_solver(solver, n_reference_vectors, restoration)
        self.n_preferences, self.concentration = n_preferences, concentration
        self.preferences, self.weight_scale = preferences, weight_scale

    def start(self, loop, table, train_rows, valid):
        self.criterion, self.n_tasks = loop.criterion_, table.n_tasks
        self.loss_scales = scales = constant_losses(loop.criterion_, table, train_rows)
        if self.concentration is None:
            self.concentration = usual_concentration(self.n_tasks)
        watched = self.preferences
        if watched is None:
            watched = validation_preferences(self.n_tasks, self.concentration)
        watched = np.asarray(watched, dtype=float).reshape(-1, *np.shape(watched)[-2:])
        watched = normalised(np.tile(watched, (len(loop.seeds) // len(watched), 1, 1)))
        self.fixed = None if self.preferences is None else self.solver.rays(watched)
        # of the members in the training tensors
        self.scales = scales
        self.valid_shares = None if valid is None else self._shares(valid.task_totals())
        self._watched = torch.as_tensor(watched).to(scales)
        self._watched_rays = torch.as_tensor(self.solver.rays(watched)).to(scales)
        # numpy's: torch cannot draw from a Dirichlet distribution by a given generator
        self.generators = [
            np.random.default_rng(generator.initial_seed())
            for generator in member_generators(loop.seeds, "preferences")
        ]
        self.records = WeightRecords(self.n_tasks)

    def _shares(self, totals):
        """Return factors of the weights that turn the mean over rows into one over tasks."""
        present = totals > 0
        divisors = torch.where(present, totals, 1.0) * self.scales
        # the loop sums, and divides by the rows of all tasks
        return torch.where(present, totals.sum(1, keepdim=True) / divisors, 0.0)

    def draw(self):
        """Draw rays of every member, shape (M, P, T)."""
        if self.n_tasks == 1:
            return np.ones((len(self.generators), 1, 1))
        if self.fixed is not None:
            pairs, n = zip(self.fixed, self.generators, strict=True), self.n_preferences
            return np.stack([rays[g.permutation(len(rays))[:n]] for rays, g in pairs])
        alpha = np.full(self.n_tasks, self.concentration)
        drawn = np.stack([g.dirichlet(alpha, size=self.n_preferences) for g in self.generators])
        return self.solver.limited(drawn)

    @contextmanager
    def _draws_of(self, active):
        """Forget what is drawn in the context for members whose epoch is over."""
        idle = [] if active is None else (~active).nonzero()[:, 0].tolist()
        states = [self.generators[m].bit_generator.state for m in idle]
        yield
        for m, state in zip(idle, states, strict=True):
            self.generators[m].bit_generator.state = state

    def step(self, loop, batch):
        with self._draws_of(batch.active):
            return self._step(loop, batch)

    def _step(self, loop, batch):
        module, drawn = loop.module_, self.draw()
        rays = torch.as_tensor(drawn).to(batch.weights)
        if self.solver.needs_gramian and self.n_tasks > 1:
            losses, totals, weights, y_pred = self._follow_gradients(loop, batch, drawn, rays)
        else:
            y_pred = module.evaluate(module.write(rays), *batch.inputs)
            losses, totals = self.task_losses(y_pred, batch)
            weights = self._weights(losses.detach(), None, drawn, totals > 0)
            backward(loop, (losses * weights).sum(2).mean(1))
        self.records.add(weights.mean(1), totals > 0)
        loop.step_optimizer(batch)
        return self._sums(losses.detach(), drawn, totals), y_pred

    def _follow_gradients(self, loop, batch, drawn, rays):
        """Set gradients weighted by what the solver makes of their Gramian."""
        module = loop.module_
        gradients = PreferenceGradients(module, rays)
        losses, totals, slopes, y_pred = self.differentiate(module, gradients.written, batch)
        gradients.differentiate(slopes)
        gramian = gradients.gramian().double().cpu().numpy()
        weights = self._weights(losses, gramian, drawn, totals > 0)
        backward_penalties(loop)
        add_gradients(loop, gradients.combine(weights / rays.shape[1]))
        return losses, totals, weights, y_pred

    def differentiate(self, module, written, batch):
        """Return losses, totals, gradients and predictions of networks (M, P, N).

        The first two are of `task_losses`; gradients are (M, P, T, N), predictions (M, P, K, b, o).
        """
        n_tasks = self.n_tasks
        if module.network.batched and batch.shared_rows:
            # a copy of each network for every task: one pass backwards instead of T
            leaf = written.unsqueeze(2).repeat(1, 1, n_tasks, 1).requires_grad_()
            y_pred = module.evaluate_copies(leaf, *batch.inputs)
            losses, totals = self.task_losses(y_pred, batch)
            return losses.detach(), totals, torch.autograd.grad(losses.sum(), leaf)[0], y_pred
        leaf = written.requires_grad_()
        y_pred = module.evaluate(leaf, *batch.inputs)
        losses, totals = self.task_losses(y_pred, batch)
        slopes = [
            torch.autograd.grad(losses[..., t].sum(), leaf, retain_graph=t + 1 < n_tasks)[0]
            for t in range(n_tasks)
        ]
        return losses.detach(), totals, torch.stack(slopes, dim=2), y_pred

    def task_losses(self, y_pred, batch):
        """Return mean losses (M, P, T), 0 without rows, and weights (M, T) of predictions."""
        by_label = self.label_losses(y_pred, batch)
        sums = self._by_task((by_label * batch.weights.unsqueeze(1)).sum(3), batch)
        totals = self._by_task(batch.weights.sum(2).unsqueeze(1), batch)
        divisors = torch.where(totals > 0, totals, 1.0) * self.scales.unsqueeze(1)
        return sums / divisors, totals.squeeze(1)

    def label_losses(self, y_pred, batch):
        """Return the loss of every label, shape (M, P, K, b)."""
        tasks, slots = batch.inputs.tasks, batch.inputs.slots
        n_preferences = y_pred.shape[1]
        # as if preferences were rows of the same block, which every criterion can evaluate
        rows = y_pred.transpose(1, 2).flatten(2, 3)
        targets = batch.targets.unsqueeze(2).expand(-1, -1, n_preferences, -1, -1).flatten(2, 3)
        losses = self.criterion(rows, targets, tasks, slots)
        return losses.unflatten(2, (n_preferences, -1)).transpose(1, 2)

    def _by_task(self, by_block, batch):
        """Sum (M, P, K) over the blocks of each task."""
        if batch.shared_rows:
            return by_block
        tasks, slots = batch.inputs.tasks, batch.inputs.slots
        return sum_by(tasks.gather(1, slots), self.n_tasks, by_block)

    def _weights(self, losses, gramian, drawn, present):
        if self.n_tasks == 1:
            return torch.ones_like(losses)
        values, present = losses.double().cpu().numpy(), present.cpu().numpy()
        gramian = [None] * len(values) if gramian is None else gramian
        members = zip(values, gramian, drawn, present, self.generators, strict=True)
        weights = np.stack([self.solver.weights(*member) for member in members])
        if self.weight_scale == "sum_abs":
            weights = of_equal_size(weights)
        return torch.as_tensor(weights).to(losses)

    def _sums(self, losses, drawn, totals):
        """Return the mean of the losses weighted by preferences, as a sum over the labels."""
        preferences = torch.as_tensor(self.solver.preferences(drawn)).to(losses)
        return (losses * preferences).sum(2).mean(1) * totals.sum(1)

    def validate(self, loop, batch):
        y_pred = loop.module_(*batch.inputs, rays=self._watched_rays)
        by_label = self.label_losses(y_pred, batch) * batch.weights.unsqueeze(1)
        sums = self._by_task(by_label.sum(3), batch)
        sums = sums * self.valid_shares.unsqueeze(1) * self._watched
        return sums.sum(2).mean(1), y_pred

    def select(self, stay):
        members = stay.tolist()
        self.generators = [self.generators[m] for m in members]
        if self.fixed is not None:
            self.fixed = self.fixed[members]
        for name in ("_watched", "_watched_rays", "scales", "valid_shares"):
            if getattr(self, name) is not None:
                setattr(self, name, getattr(self, name)[stay])

    def snapshot(self):
        return {"generators": self.generators, "records": self.records.snapshot()}

    def resume(self, state):
        self.generators = state["generators"]
        self.records.resume(state["records"])

    def end_epoch(self, clock):
        self.records.end_epoch(clock)

    def finish(self, clock):
        return StepRecords(self.records.table(), loss_scales=self.loss_scales)
