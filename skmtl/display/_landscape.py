"""Losses of a fitted estimator near its parameters, for the displays of losses."""

import copy

import numpy as np
import torch

from skmtl._data.rows import TrainingRows
from skmtl._estimators.plan import FitPlan
from skmtl.nn import task_gradients
from skmtl.nn._slots import matrix_by, sum_by
from skmtl.training import MemberNet, OptimizerSettings
from skmtl.training._batches import MemberBatches
from skmtl.training._device import own_state
from skmtl.training._lookahead import Lookahead
from skmtl.weighting import ITMTL

SOLVERS = ("adam", "sgd")


class Landscape:
    """Losses of the tasks on given rows, as functions of the shared parameters of one member.

    X and y are as ``fit`` takes them; losses are averaged over their rows. A step is the first step
    of `solver`, with the learning rate of the estimator if `learning_rate` is None.
    """

    def __init__(self, estimator, X, y, member=0, solver="adam", learning_rate=None):
        if solver not in SOLVERS:
            raise ValueError(f"solver must be one of {SOLVERS}, got {solver!r}.")
        if estimator.task_levels != "joint":
            raise ValueError(
                "losses of tasks are drawn, but this model has several levels of ids, of which "
                "combinations are no tasks; use per_task_score(..., level=...) of skmtl.metrics."
            )
        features, *labels = estimator._check_rows(X, y, None, estimator._targets.transform)
        features, tasks, _ = estimator._tables.validation_rows(features, estimator, False)
        rows = TrainingRows(features, tasks, *labels)
        tables, targets = estimator._tables, estimator._targets
        table = FitPlan(estimator, tables, targets, [(rows, None)], np.zeros(1)).rows(rows)
        self.estimator, self.n_tasks, self.wide = estimator, table.n_tasks, table.shared_rows
        module = copy.deepcopy(estimator.module_).cpu().part([member]).train()
        rate = estimator.learning_rate_init if learning_rate is None else learning_rate
        settings = OptimizerSettings(rate, solver=solver)
        self.net = MemberNet(
            module, seeds=[0], criterion=targets.criterion(), optimizer_settings=settings
        ).initialize()
        every = [torch.arange(len(table))]
        self.batch = next(iter(MemberBatches(table, every, len(table))))
        self.lookahead = Lookahead(self.net, "a display of losses", ratios=False)
        tasks, slots = self.batch.inputs.tasks, self.batch.inputs.slots
        totals = sum_by(slots, tasks.shape[1], self.batch.weights.sum(2))
        self.totals = self._by_task(totals, tasks)

    def _by_task(self, values, tasks):
        return values if self.wide else sum_by(tasks, self.n_tasks, values)

    def steps(self, candidates):
        """Return names and steps (C, P) of the candidates, except steps of tasks without rows.

        Candidates are given as `ITMTL` takes them.
        """
        method, net, batch = ITMTL(candidates), self.net, self.batch
        state = method.init_state(1, self.n_tasks)
        methods = [m for m in method.methods() if m is not None]
        if any(m.at_representation for m in methods):
            raise ValueError(
                "candidates whose gradients are taken at the representation cannot be shown."
            )
        shared = net.module_.shared_parameters()
        if not shared:
            raise ValueError(
                f"{type(self.estimator).__name__} has no parameters that tasks share, so there "
                "are no steps to compare."
            )
        gradients = task_gradients(net.module_)
        tasks, slots = batch.inputs.tasks, batch.inputs.slots
        losses = sum_by(slots, tasks.shape[1], net.evaluate(batch)[1].sum(2)) / batch.counts
        gradients.differentiate(losses, slots)
        with torch.no_grad():
            gramian = gradients.gramian()
            gramian = gramian if self.wide else matrix_by(tasks, self.n_tasks, gramian)
            means = self._by_task(losses, tasks) * batch.counts / self.totals
            weights, eligible = method.candidate_weights(means, {False: gramian}, state)
            if not self.wide:
                weights = weights.gather(2, tasks.unsqueeze(1).expand(-1, weights.shape[1], -1))
            combined = net.optimizer_.flat(gradients.combine_all(weights.transpose(0, 1)))
            gradients.detach()
            moves = net.optimizer_.after(combined) - net.optimizer_.buffer
            moves = torch.where(net.optimizer_.columns(shared), moves, 0.0)[:, 0]
        pairs = zip(method.candidate_steps(self.n_tasks), eligible[0].tolist(), strict=True)
        names = [step.label(self.estimator.tasks_) for step, keep in pairs if keep]
        return names, moves[eligible[0]]

    def random_directions(self, n_directions, generator):
        """Draw random directions (C, P) with the norm of the shared parameters."""
        optimizer = self.net.optimizer_
        columns = optimizer.columns(self.net.module_.shared_parameters())
        here = torch.where(columns, optimizer.buffer[0], 0.0)
        draws = torch.randn(n_directions, len(here), generator=generator).to(here)
        draws = torch.where(columns, draws, 0.0)
        return draws * here.norm() / draws.norm(dim=1, keepdim=True)

    def losses(self, moves):
        """Return the mean losses of the tasks (C, T) after moves (C, P) from the parameters.

        They are NaN for tasks without rows.
        """
        tasks = self.batch.inputs.tasks
        with own_state():
            parameters = self.net.optimizer_.buffer + moves.unsqueeze(1)
            losses = self.lookahead.losses(parameters, self.batch)[:, 0]
        losses = self._by_task(losses, tasks.expand(len(losses), -1))
        return (losses / self.totals).double().cpu().numpy()
