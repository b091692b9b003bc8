"""The one training loop: a skorch net whose module is a stack of members.

It differs from skorch's own net in what a batch is, in having a clock per member, and in speed.
"""

from contextlib import nullcontext

import torch
from skorch import NeuralNet

from skmtl.exceptions import DivergenceError
from skmtl.nn import member_generators
from skmtl.training._affinity import AffinityRecorder
from skmtl.training._batches import MemberBatches, task_totals
from skmtl.training._clock import MemberClock
from skmtl.training._constants import constant_losses
from skmtl.training._losses import NumberLoss
from skmtl.training._optimizer import MemberAdam, MemberSGD
from skmtl.training._passes import backward
from skmtl.training._preferences import PreferenceSteps
from skmtl.training._sampling import task_shares
from skmtl.training._weighting import WeightedSteps, weighs_equally

_SOLVERS = {"adam": MemberAdam, "sgd": MemberSGD}
# rows of all members that a validation batch holds
_VALIDATION_ROWS = 2**16


class MemberNet(NeuralNet):
    """Train a stack of members on one table.

    Parameters
    ----------
    module : MemberModule
        Ready to train.
    seeds : sequence of M ints
        One per member; they decide the order of the rows.
    criterion : Module, optional
        Maps outputs, targets, tasks and slots of a batch to the loss of every label; squared
        errors by default.
    task_sampling : {"rows", "tasks", "sqrt"}
        How often each task is drawn.
    task_weighting : str, TaskWeighting, tuple, Weighting of TorchJD, or None
        How the tasks of a batch become one step, see `get_weighting`; None is the sum of losses.
    gradient_form : {"auto", "exact"}
        How gradients of tasks are computed, see `task_gradients`.
    preferences : dict or None
        Arguments of `PreferenceSteps`, which take the place of task weighting; None trains for one
        trade-off.
    record_affinity : dict or None
        Parameters of `Affinity`; None records nothing.
    learning_rate, weight_decay, averaging : float or sequence of M floats
        Settings of `MemberAdam`.
    solver : {"adam", "sgd"}
        The optimiser.
    momentum : float
        Of ``solver="sgd"``.
    batch_size : int, or list of M ints
        Rows in a batch at most.
    one_task : bool
        Whether every batch holds rows of one task only, tasks in shuffled rounds.
    clip_norm : float or sequence of M floats, optional
        Gradients of a member that are longer are shortened to this length.
    max_epochs : int
        Epochs at most.
    last_epochs : sequence of M ints, optional
        Epochs after which each member stops, besides `max_epochs`, which schedules go by.
    validated : list of dict, optional
        History of an earlier run. Callbacks are told its validation losses, epoch by epoch, so that
        those that go by them do the same again.
    patience : int
        Epochs without improvement after which a member stops, if there are validation rows.
    tol : float
        Smallest fall of the validation loss that counts as an improvement.
    device : str
        Where to train.
    callbacks : list
        skorch callbacks; they see one number, the mean over the members that still train.
    drop_diverged : bool
        Whether to go on without a member that diverges, instead of raising an error.

    Attributes
    ----------
    clock_ : MemberClock
        When each member stopped, and its history.
    records_ : dict of str to ndarray
        That history, as columns.
    diverged_ : dict of int to DivergenceError
        Members that were dropped.
    weighting_ : WeightedSteps, PreferenceSteps or None
        What weighs the tasks; None if they have equal weights.
    loss_scales_ : Tensor of shape (M, T), or None
        With `preferences` what the loss of each task is divided by.
    affinity_ : ndarray of shape (n_epochs, M, T, T) or None
        What a step of each task alone would have done to the loss of each.
    task_weights_ : ndarray or None
        Mean weights of the tasks, one row for each of `records_`.
    weighting_state_ : dict or None
        What the method of task weighting remembers, of all members.
    choices_ : dict of str to ndarray, or None
        What IT-MTL has chosen, see `IncreasedTransfer.finish`.
    """

    def __init__(
        self,
        module,
        *,
        seeds,
        criterion=None,
        task_sampling="rows",
        task_weighting=None,
        gradient_form="auto",
        preferences=None,
        record_affinity=None,
        learning_rate=1e-3,
        weight_decay=0.0,
        averaging=0.0,
        solver="adam",
        momentum=0.0,
        batch_size=64,
        one_task=False,
        clip_norm=None,
        max_epochs=100,
        last_epochs=None,
        validated=None,
        patience=10,
        tol=0.0,
        device="cpu",
        callbacks=(),
        drop_diverged=False,
    ):
        self.seeds = seeds
        self.drop_diverged = drop_diverged
        self.task_sampling = task_sampling
        self.task_weighting = task_weighting
        self.gradient_form = gradient_form
        self.preferences = preferences
        self.record_affinity = record_affinity
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.averaging = averaging
        self.solver = solver
        self.momentum = momentum
        self.one_task = one_task
        self.clip_norm = clip_norm
        self.last_epochs = last_epochs
        self.validated = validated
        self.patience = patience
        self.tol = tol
        super().__init__(
            module,
            criterion=NumberLoss() if criterion is None else criterion,
            optimizer=_SOLVERS[solver],
            max_epochs=max_epochs,
            batch_size=batch_size,
            callbacks=list(callbacks),
            train_split=None,
            device=device,
            verbose=0,
        )

    @property
    def _default_callbacks(self):
        # the clock keeps the history of every member, and printing is left to the progress bar
        return []

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Arguments of the optimiser: the module itself, for its member axis."""
        settings = {
            "lr": self.learning_rate,
            "weight_decay": self.weight_decay,
            "averaging": self.averaging,
            "clip_norm": self.clip_norm,
        }
        if self.solver == "sgd":
            settings["momentum"] = self.momentum
        return (self.module_,), settings

    def check_data(self, X, y=None):
        """Nothing to check: the table was checked when it was made."""

    def fit_members(self, table, train_rows, valid_rows=None, n_labels=None, weighting_state=None):
        """Train.

        Parameters
        ----------
        table : TaskRows
            All rows, on the device of the net.
        train_rows : list of M Tensors of int64
            Rows that each member trains on.
        valid_rows : list of M Tensors of int64, optional
            Rows that decide when each member stops and which of its weights are kept.
        n_labels : list of M floats, optional
            What the penalty of each member stands beside: the labels of its rows by default.
        weighting_state : dict, optional
            What the method of task weighting remembers of an earlier fit.

        Returns
        -------
        self

        Raises
        ------
        DivergenceError
            If a loss or a weight is no longer finite.
        """
        generators = member_generators(self.seeds, "rows")
        shares = task_shares(self.task_sampling, task_totals(table, train_rows))
        train = MemberBatches(
            table, train_rows, self.batch_size, generators, shares, one_task=self.one_task
        )
        valid = None
        if valid_rows is not None:
            n_rows = max(1, _VALIDATION_ROWS // len(valid_rows))
            # losses of tasks are apart there, and weighted by preferences
            valid_shares = shares if self.preferences is None else None
            valid = MemberBatches(table, valid_rows, n_rows, shares=valid_shares)
        # before the optimiser takes the parameters over: some of them start by the tasks
        self.module.mark_trained(train.task_counts > 0)
        n_steps = self.max_epochs * torch.tensor(train.n_batches_per_member, device=self.device)
        self.module.prepare(n_steps, table.metadata)
        self.initialize()
        # penalties stand beside the sum of the losses, and the loop divides by the labels
        self.n_labels_ = train.task_counts.sum(1)
        if n_labels is not None:
            self.n_labels_ = torch.as_tensor(n_labels, device=self.device)
        self.weighting_ = self.loss_scales_ = None
        if self.preferences is not None:
            self.loss_scales_ = constant_losses(self.criterion_, table, train_rows)
            self.weighting_ = PreferenceSteps(
                self.module_,
                self.criterion_,
                self.seeds,
                table.n_tasks,
                self.loss_scales_,
                None if valid is None else valid.task_totals(),
                **self.preferences,
            )
        elif not weighs_equally(self.task_weighting):
            self.weighting_ = WeightedSteps(
                self,
                self.task_weighting,
                self.seeds,
                table.n_tasks,
                table.shared_rows,
                form=self.gradient_form,
                state=weighting_state,
            )
        self.recorder_ = None
        if self.record_affinity is not None:
            self.recorder_ = AffinityRecorder(self, table.n_tasks, **self.record_affinity)
        # products of a single network for a single task round in another way than those of several
        several = len(train_rows) > 1 and table.n_tasks == 1
        self.fewest_members_ = 2 if several else 1
        self.diverged_ = {}
        self.clock_ = MemberClock(self.optimizer_.buffer, self.patience, self.tol, self.last_epochs)
        return self.partial_fit((train, valid))

    def partial_fit(self, X, y=None, **fit_params):
        """Run the loop; unlike skorch's, it lets an interrupt from the keyboard through."""
        self.notify("on_train_begin", X=X, y=y)
        self.fit_loop(X, y)
        self.notify("on_train_end", X=X, y=y)
        return self

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """Run the epochs: train, validate, tick the clocks, drop members that have stopped.

        Parameters
        ----------
        X : tuple of two MemberBatches
            Training and validation batches; the latter may be None.
        """
        train, valid = X
        clock = self.clock_
        buffers = [
            (module, name, buffer)
            for module in self.module_.modules()
            for name, buffer in module.named_buffers(recurse=False)
        ]
        for _ in range(self.max_epochs if epochs is None else epochs):
            self.notify("on_epoch_begin", dataset_train=train, dataset_valid=valid)
            train_loss = self.run_single_epoch(train, True, "train", self.train_step)
            # callbacks that store weights store those that are validated
            watched = valid is not None or self.callbacks_
            with self.optimizer_.using_averages() if watched else nullcontext():
                valid_loss = self.run_single_epoch(valid, False, "valid", self.validation_step)
                bad = self._not_finite(train_loss, valid_loss)
                was_active = clock.active
                for part in (self.weighting_, self.recorder_):
                    if part is not None:
                        part.end_epoch(clock)
                clock.tick(self.optimizer_.averaged, train_loss, valid_loss)
                self.module_.after_epoch(clock.active)
                if bad is not None:
                    clock.stop(bad)
                if self.weighting_ is not None:
                    self.weighting_.after_tick(clock, was_active)
                self._record(train_loss, valid_loss)
                try:
                    self.notify("on_epoch_end", dataset_train=train, dataset_valid=valid)
                except KeyboardInterrupt:
                    break  # how skorch's own EarlyStopping ends training
            if not clock.any_active:
                break
            stay = clock.leave(self.fewest_members_)
            if stay is not None:
                self._keep(stay, train, valid)
        best = clock.best
        self.records_ = clock.records()
        self.task_weights_ = self.weighting_state_ = None
        self.affinity_ = self.choices_ = None
        if self.recorder_ is not None:
            self.affinity_ = self.recorder_.finish(clock.n_members, self.learning_rate)
        if self.weighting_ is not None:
            self.task_weights_, self.weighting_state_ = self.weighting_.finish(clock)
            if self.weighting_.chooser is not None:
                self.choices_ = self.weighting_.chooser.finish()
        self._not_finite(best.sum(1), members=range(len(best)))
        # the weights kept, of all members, in memory of their own
        for module, name, buffer in buffers:
            module.register_buffer(name, buffer)
        self.optimizer_.load(best)
        self.optimizer_.release()
        self.module_.eval()
        return self

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run over all batches.

        Returns
        -------
        Tensor of shape (M',) or None
            Mean loss of every member; None without an iterator.
        """
        if iterator is None:
            return None
        if self.module_.training != training:
            self._set_training(training)
        sums, weights = [], []
        for batch in iterator:
            if self.callbacks_:
                self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch)
            sums.append(step["loss"])
            weights.append(batch.weights)
            if self.callbacks_:
                self.notify("on_batch_end", batch=batch, training=training, **step)
        # along the last axes: a sum over the first would round differently for one member
        return torch.stack(sums, 1).sum(1) / torch.stack(weights, 1).sum((1, 2, 3))

    def evaluate(self, batch):
        """Predictions, and the weighted losses of all labels, shape (M, K, b)."""
        y_pred = self.module_(*batch.inputs)
        tasks, slots = batch.inputs.tasks, batch.inputs.slots
        return y_pred, self.criterion_(y_pred, batch.targets, tasks, slots) * batch.weights

    def train_step(self, batch, **fit_params):
        """Make one step of every member whose epoch is not over."""
        self.optimizer_.zero_grad(set_to_none=True)
        recorder = self.recorder_
        watched = recorder is not None and recorder.begin_step(self, batch)
        if self.weighting_ is not None:
            sums, y_pred = self.weighting_.step(self, batch)
            return {"loss": sums, "y_pred": y_pred}
        y_pred, losses = self.evaluate(batch)
        sums = losses.sum((1, 2))
        backward(self, sums / batch.counts)
        if watched:
            recorder.observe(self, batch, losses)
        self.step_optimizer(batch)
        return {"loss": sums.detach(), "y_pred": y_pred}

    def penalties(self):
        """What stands beside the mean loss of a member's batch, shape (M,), or None."""
        penalty, of_step = self.module_.penalty(), self.module_.step_penalty()
        if penalty is None:
            return of_step
        penalty = penalty / self.n_labels_
        return penalty if of_step is None else penalty + of_step

    def step_optimizer(self, batch):
        """Make a step along the gradients that the parameters have."""
        if self.callbacks_:
            named = list(self.module_.named_parameters())
            self.notify("on_grad_computed", named_parameters=named, batch=batch, training=True)
        self.optimizer_.step(active=batch.active)
        self.module_.after_step(batch.active)

    @torch.no_grad()
    def validation_step(self, batch, **fit_params):
        """Evaluate every member."""
        if self.preferences is not None:
            sums, y_pred = self.weighting_.validate(batch)
            return {"loss": sums, "y_pred": y_pred}
        y_pred, losses = self.evaluate(batch)
        return {"loss": losses.sum((1, 2)), "y_pred": y_pred}

    def _keep(self, stay, *iterators):
        """Go on with some of the members."""
        self.optimizer_.select(stay)
        for module in self.module_.modules():
            for name, buffer in list(module.named_buffers(recurse=False)):
                module.register_buffer(name, buffer.index_select(0, stay))
        self.n_labels_ = self.n_labels_[stay]
        if hasattr(self.criterion_, "select"):
            self.criterion_.select(stay)
        if self.weighting_ is not None:
            self.weighting_.select(stay)
        for iterator in iterators:
            if iterator is not None:
                iterator.select(stay.tolist())

    def _record(self, train_loss, valid_loss):
        """What callbacks see: means over the members that still train."""
        if not self.callbacks_:
            return
        clock = self.clock_
        record = {"train_loss": train_loss.mean().item()}
        if valid_loss is not None:
            record["valid_loss"] = valid_loss.mean().item()
            best = min((row["valid_loss"] for row in self.history[:-1]), default=torch.inf)
            record["valid_loss_best"] = record["valid_loss"] < best
            record["best_loss"] = clock.best_loss.mean().item()
        elif self.validated is not None:
            earlier = self.validated[len(self.history) - 1]
            names = "valid_loss", "valid_loss_best", "best_loss"
            record |= {name: earlier[name] for name in names}
        record |= {"n_members": clock.n_members, "n_active": int(clock.active.sum())}
        for name, value in record.items():
            self.history.record(name, value)

    def _not_finite(self, *values, members=None):
        """Stop at the first member with a number that is not finite, or note which have one.

        Parameters
        ----------
        *values : Tensors of shape (M',), or None
        members : sequence of M' ints, optional
            Their numbers, if they are not those in the training tensors.

        Returns
        -------
        Tensor of shape (M',) of bool, or None if all is well
        """
        finite = torch.isfinite(sum(value for value in values if value is not None))
        if bool(finite.all()):
            return None
        members = self.clock_.members.tolist() if members is None else members
        bad = [member for member, good in zip(members, finite.tolist(), strict=True) if not good]
        if not self.drop_diverged:
            raise self._divergence(bad)
        for member in bad:
            self.diverged_.setdefault(member, self._divergence([member]))
        return ~finite

    def _divergence(self, members):
        rate = torch.as_tensor(self.learning_rate).reshape(-1)
        lr = float(rate[members[0]] if len(rate) > 1 else rate[0])
        return DivergenceError(
            f"training diverged in epoch {len(self.history)}: the loss of member {members[0]} of "
            f"{self.clock_.n_members} is not finite. Its learning_rate_init is {lr:g}; try "
            f"{lr / 10:g}.",
            members,
        )
