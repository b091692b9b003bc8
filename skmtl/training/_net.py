"""The one training loop: a skorch net whose module is a stack of members.

It differs from skorch's net in what a batch is, in having a clock per member, and in speed. Steps
are made by `Steps`.
"""

import copy
import time
from contextlib import nullcontext
from dataclasses import replace

import torch
from skorch import NeuralNet

from skmtl.nn import member_generators
from skmtl.training._batches import MemberBatches, task_totals
from skmtl.training._callbacks import ProgressBar, epoch_record, raised_by
from skmtl.training._checkpoint import RunCheckpoint
from skmtl.training._clock import DivergenceCheck, MemberClock, StoppingSettings
from skmtl.training._interruption import check_interruption
from skmtl.training._losses import NumberLoss
from skmtl.training._optimizer import OptimizerSettings
from skmtl.training._result import TrainingResult
from skmtl.training._sampling import task_shares
from skmtl.training._schedule import Schedule
from skmtl.training._steps import PlainSteps, StepObserver

# rows of all members that a validation batch holds
_VALIDATION_ROWS = 2**16


class MemberNet(NeuralNet):
    """Train a stack of members, a `module`, on one table.

    M `seeds` decide the order of rows. The `criterion` maps outputs, targets, tasks and slots to
    the loss of every label; `steps` turn losses into a step, which the `observer` watches.
    `task_sampling`, "rows", "tasks" or "sqrt", is how often tasks are drawn; `batch_size` and
    `one_task` are as in `MemberBatches`. `callbacks` of skorch see means over the members that
    still train; those that depend on validation losses see them in `validated`, the history of an
    earlier run. After the last of `deadlines`, times of the monotonic clock, training ends, and
    after each before it the worse half of rivals stops. With `drop_diverged`, a member that
    diverges is left out instead of raising an error.
    """

    def __init__(
        self,
        module,
        *,
        seeds,
        criterion=None,
        steps=None,
        observer=None,
        optimizer_settings=None,
        stopping=None,
        schedule=None,
        task_sampling="rows",
        batch_size=64,
        one_task=False,
        max_epochs=100,
        validated=None,
        device="cpu",
        callbacks=(),
        drop_diverged=False,
        deadlines=(),
    ):
        self.seeds = seeds
        self.steps = PlainSteps() if steps is None else steps
        self.observer = StepObserver() if observer is None else observer
        self.optimizer_settings = optimizer_settings or OptimizerSettings()
        self.stopping = stopping or StoppingSettings()
        self.schedule = Schedule() if schedule is None else schedule
        self.task_sampling = task_sampling
        self.one_task = one_task
        self.validated = validated
        self.drop_diverged = drop_diverged
        self.deadlines = deadlines
        self.checkpoint_ = RunCheckpoint()
        super().__init__(
            module,
            criterion=NumberLoss() if criterion is None else criterion,
            optimizer=self.optimizer_settings.optimizer,
            max_epochs=max_epochs,
            batch_size=batch_size,
            callbacks=list(callbacks),
            train_split=None,
            device=device,
            verbose=0,
        )

    @property
    def _default_callbacks(self):
        # the clock keeps the history of every member, and the progress bar prints
        return []

    def get_params_for_optimizer(self, prefix, named_parameters):
        return (self.module_,), self.optimizer_settings.arguments()

    def check_data(self, X, y=None):
        pass  # the table was checked when it was made

    def fit_members(self, table, train_rows, valid_rows=None, n_labels=None):
        """Train on M Tensors of row numbers of a table; return a `TrainingResult`.

        Validation rows decide when each member stops and which weights are kept. `n_labels` (M,),
        of its rows by default, divide a member's penalties. Raises `DivergenceError`.
        """
        self.checkpoint_ = RunCheckpoint.of(self, table, train_rows, valid_rows, n_labels)
        generators = member_generators(self.seeds, "rows")
        shares = task_shares(self.task_sampling, totals := task_totals(table, train_rows))
        train = MemberBatches(
            table, train_rows, self.batch_size, generators, shares, one_task=self.one_task
        )
        valid = None
        if valid_rows is not None:
            n_rows = max(1, _VALIDATION_ROWS // len(valid_rows))
            valid_shares = shares if self.steps.validates_by_shares else None
            if valid_shares is not None and table.n_new:
                # a new task counts as if it trained on its validation rows
                new = task_totals(table, valid_rows, table.n_new)[:, table.n_tasks :]
                valid_shares = task_shares(self.task_sampling, torch.cat([totals, new], dim=1))
            valid = MemberBatches(table, valid_rows, n_rows, shares=valid_shares)
        # before the optimiser takes the parameters over: some of them depend on the tasks at first
        self.module.mark_trained(train.trained_tasks())
        n_steps = self.max_epochs * torch.tensor(train.n_batches_per_member, device=self.device)
        self.module.prepare(n_steps, table.trained_metadata)
        self.initialize()
        # penalties are added to the sum of the losses, and the loop divides by the labels
        self.n_labels_ = train.task_counts.sum(1)
        if n_labels is not None:
            self.n_labels_ = torch.as_tensor(n_labels, device=self.device)
        self.steps_ = self.steps.bind(self, table, train_rows, valid)
        self.observer_ = self.observer.bind(self, table)
        # products of a single network for a single task round in another way than those of several
        several = len(train_rows) > 1 and table.n_tasks == 1
        self.fewest_members_ = 2 if several else 1
        rate, stopping = self.optimizer_settings.learning_rate, self.stopping
        self.divergence_ = DivergenceCheck(len(train_rows), rate, self.drop_diverged)
        self.schedule_ = copy.copy(self.schedule)
        if not self.schedule_.patient:
            stopping = replace(stopping, patience=None)
        self.clock_ = MemberClock(self.optimizer_.buffer, stopping, train.n_batches_per_member)
        self.buffers_ = [
            (module, name, buffer)
            for module in self.module_.modules()
            for name, buffer in module.named_buffers(recurse=False)
        ]
        self.checkpoint_.resume(self, train, valid)
        self.partial_fit((train, valid))
        return self.result_

    def partial_fit(self, X, y=None, **fit_params):
        """Run the loop; unlike skorch's, it does not swallow an interrupt from the keyboard."""
        self.notify("on_train_begin", X=X, y=y)
        self.fit_loop(X, y)
        self.notify("on_train_end", X=X, y=y)
        return self

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """Run epochs over training and validation batches (or None), the items of X."""
        train, valid = X
        clock, checkpoint = self.clock_, self.checkpoint_
        self.n_halved_ = 0
        n_epochs = self.schedule_.most_epochs(self.max_epochs if epochs is None else epochs)
        for epoch in range(checkpoint.first_epoch, 0 if checkpoint.finished else n_epochs):
            factors = self.schedule_.factors(clock.epochs)
            if factors is not None:
                self.optimizer_.set_factors(factors)
            self.notify("on_epoch_begin", dataset_train=train, dataset_valid=valid)
            train_loss = self.run_single_epoch(train, True, "train", self.train_step)
            self.optimizer_.copy_unaveraged()
            # callbacks that store weights store those that are validated
            watched = valid is not None or self.callbacks_
            with self.optimizer_.using_averages() if watched else nullcontext():
                valid_loss = self.run_single_epoch(valid, False, "valid", self.validation_step)
                losses = train_loss if valid_loss is None else train_loss + valid_loss
                bad = self.divergence_.check(losses, clock.members.tolist(), len(self.history))
                was_active = clock.active
                self.steps_.end_epoch(clock)
                self.observer_.end_epoch(clock)
                clock.tick(self.optimizer_.averaged, train_loss, valid_loss)
                self.module_.after_epoch(clock.active)
                if bad is not None:
                    clock.stop(bad)
                self._heed_deadlines()
                self.steps_.after_tick(clock, was_active)
                if self.callbacks_:
                    seen = epoch_record(self.history, clock, train_loss, valid_loss, self.validated)
                    for name, value in seen.items():
                        self.history.record(name, value)
                try:
                    self.notify("on_epoch_end", dataset_train=train, dataset_valid=valid)
                except KeyboardInterrupt as error:
                    if not raised_by(error, [callback for _, callback in self.callbacks_]):
                        raise
                    break  # how skorch's own EarlyStopping ends training
            self.schedule_.after_epoch(epoch + 1, clock, self.optimizer_)
            if not clock.any_active:
                break
            stay = clock.leave(self.fewest_members_)
            if stay is not None:
                self._keep(stay, train, valid)
        checkpoint.end()
        self.result_ = self._finish(train.table)
        return self

    def _is_over(self):
        return bool(self.deadlines) and time.monotonic() > self.deadlines[-1]

    def _heed_deadlines(self):
        """Stop all members after the last deadline, and the worse rivals after each before it."""
        now = time.monotonic()
        if self._is_over():
            self.clock_.stop(self.clock_.active)
        for _ in range(sum(now > deadline for deadline in self.deadlines[:-1]) - self.n_halved_):
            self.n_halved_ += 1
            self.clock_.halve()

    def _finish(self, table):
        """Give the module the best weights of all members, and return the result."""
        clock, best = self.clock_, self.clock_.best
        affinity, records = self.observer_.finish(clock), self.steps_.finish(clock)
        epoch = len(self.history)
        self.divergence_.check(best.sum(1), range(len(best)), epoch)
        # the buffers of all members, those that have left included
        for module, name, buffer in self.buffers_:
            module.register_buffer(name, buffer)
        self.optimizer_.load(best)
        self.optimizer_.release()
        self.module_.eval()
        return TrainingResult(
            module=self.module_,
            device=self.device,
            n_members=clock.n_members,
            n_tasks=table.n_tasks,
            records=clock.records(),
            best_epoch=clock.best_epoch,
            affinity=affinity,
            diverged=self.divergence_.errors,
            callbacks=[c for _, c in self.callbacks_ if not isinstance(c, ProgressBar)],
            history=self.history,
            **vars(records),
        )

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Return each member's mean loss (M',) over all batches; None without an iterator."""
        if iterator is None:
            return None
        if self.module_.training != training:
            self._set_training(training)
        sums, weights = [], []
        made, self.checkpoint_.losses = self.checkpoint_.losses if training else (), ()
        for batch in iterator:
            check_interruption()
            weights.append(batch.weights)
            if len(sums) < len(made):
                # a step of the run that this one goes on with
                sums.append(made[len(sums)])
                continue
            if self.callbacks_:
                self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch)
            sums.append(step["loss"])
            if self.callbacks_:
                self.notify("on_batch_end", batch=batch, training=training, **step)
            if training:
                self.checkpoint_.after_batch(sums)
                if self._is_over():
                    break
        # along the last axes: a sum over the first would round differently for one member
        return torch.stack(sums, 1).sum(1) / torch.stack(weights, 1).sum((1, 2, 3))

    def evaluate(self, batch):
        y_pred = self.module_(*batch.inputs)
        tasks, slots = batch.inputs.tasks, batch.inputs.slots
        return y_pred, self.criterion_(y_pred, batch.targets, tasks, slots) * batch.weights

    def train_step(self, batch, **fit_params):
        """Make one step of every member whose epoch is not over."""
        self.optimizer_.zero_grad(set_to_none=True)
        self.observer_.before_step(self, batch)
        sums, y_pred = self.steps_.step(self, batch)
        return {"loss": sums, "y_pred": y_pred}

    def penalties(self):
        penalty, of_step = self.module_.penalty(), self.module_.step_penalty()
        if penalty is None:
            return of_step
        penalty = penalty / self.n_labels_
        return penalty if of_step is None else penalty + of_step

    def step_optimizer(self, batch):
        if self.callbacks_:
            named = list(self.module_.named_parameters())
            self.notify("on_grad_computed", named_parameters=named, batch=batch, training=True)
        self.optimizer_.step(active=batch.active)
        self.module_.after_step(batch.active)

    @torch.no_grad()
    def validation_step(self, batch, **fit_params):
        sums, y_pred = self.steps_.validate(self, batch)
        return {"loss": sums, "y_pred": y_pred}

    def _keep(self, stay, *iterators):
        """Continue with the given members only."""
        self.optimizer_.select(stay)
        for module in self.module_.modules():
            for name, buffer in list(module.named_buffers(recurse=False)):
                module.register_buffer(name, buffer.index_select(0, stay))
        self.n_labels_ = self.n_labels_[stay]
        if hasattr(self.criterion_, "select"):
            self.criterion_.select(stay)
        self.steps_.select(stay)
        self.schedule_.select(stay)
        for iterator in iterators:
            if iterator is not None:
                iterator.select(stay.tolist())
