"""Checkpoints of the training loop: its state after a batch, and how training goes on from there.

Everything that settings and rows decide is made again; what training has changed is stored.
"""

from time import monotonic

import torch
from torch import nn

from skmtl._persistence._checkpoints import current, digest
from skmtl.training._callbacks import ProgressBar

# seconds between two checkpoints: at least and at most
_FEWEST_SECONDS, _MOST_SECONDS = 30.0, 60.0
# share of the time that they may take, within these bounds
_SHARE = 0.01
# a run that ends after fewer seconds is not worth a file, unless many may follow
_WORTH = 1.0


def packed(rows):
    """Return lengths and columns of rows of tensors (M', ...) or None, joined along their members.

    Many small arrays would be slow to write.
    """
    columns = zip(*rows, strict=True)
    joined = [None if column[0] is None else torch.cat(column) for column in columns]
    return {"lengths": [len(row[0]) for row in rows], "columns": joined}


def unpacked(packing):
    """Reverse `packed`."""
    lengths = packing["lengths"]
    columns = [
        [None] * len(lengths) if column is None else column.split(lengths)
        for column in packing["columns"]
    ]
    return list(zip(*columns, strict=True))


def placed(value, device):
    """Copy a value that was read, its tensors to a device and to memory as torch aligns it."""
    if isinstance(value, torch.Tensor):
        return value.to(device, copy=True)
    if isinstance(value, dict):
        return {key: placed(item, device) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(placed(item, device) for item in value)
    return value


def _identity(net, table, train_rows, valid_rows, n_labels):
    """Return everything that the result of a run depends on."""
    names = "task_sampling", "batch_size", "one_task", "max_epochs", "drop_diverged"
    settings = net.optimizer_settings, net.stopping, net.schedule, net.steps, net.observer
    return [
        net.module,
        net.criterion,
        [[type(item).__qualname__, vars(item)] for item in settings],
        [getattr(net, name) for name in names],
        [int(seed) for seed in net.seeds],
        vars(table),
        train_rows,
        valid_rows,
        None if n_labels is None else torch.as_tensor(n_labels),
        torch.device(net.device).type,
    ]


class RunCheckpoint:
    """Stores the state of a net in training, if a call asks for it; without one it does nothing.

    `first_epoch` and `losses`, of the batches made in it, are where training begins; where the run
    has ended before, `finished` is True.
    """

    def __init__(self):
        self.checkpoints, self.name = None, ""
        self.first_epoch, self.losses, self.finished = 0, (), False

    @classmethod
    def of(cls, net, *rows):
        """Return the checkpoint of a run, which `rows` and the untrained net decide."""
        checkpoint, checkpoints = cls(), current()
        if checkpoints is None or any(not isinstance(c, ProgressBar) for c in net.callbacks):
            # the state of callbacks is known to them alone
            return checkpoint
        try:
            checkpoint.name = f"run_{digest(_identity(net, *rows))}"
        except ValueError:
            if checkpoints.optional:
                return checkpoint
            raise
        checkpoint.checkpoints = checkpoints
        return checkpoint

    def resume(self, net, train, valid):
        """Bring a net that is ready to train to where a run of the same kind was interrupted."""
        if self.checkpoints is None:
            return
        self._net, self._train = net, train
        state = self.checkpoints.read(self.name, trusted=_classes(net.steps_.snapshot()))
        if state is not None:
            self._restore(state, valid)
        self._seconds, self._saved = _FEWEST_SECONDS, monotonic()

    def after_batch(self, sums):
        """Store the state if it is time to; `sums` are the losses (M',) of the epoch's batches."""
        if self.checkpoints is None or monotonic() - self._saved < self._seconds:
            return
        began = monotonic()
        net = self._net
        self._write(
            {
                "losses": torch.stack(sums),
                "optimizer": net.optimizer_.snapshot(),
                "train": self._train.snapshot(),
                "buffers": [
                    [getattr(module, name), getattr(module, name) is original]
                    for module, name, original in net.buffers_
                ],
            }
        )
        self._saved = monotonic()
        cost = (self._saved - began) / _SHARE
        self._seconds = min(max(_FEWEST_SECONDS, cost), max(_FEWEST_SECONDS, _MOST_SECONDS))

    def end(self):
        """Store the state of a run that is over, if others may follow in the same call."""
        if self.checkpoints is None or self.finished:
            return
        if self.checkpoints.in_blocks or monotonic() - self._saved > _WORTH:
            self._write(None)

    def _write(self, running):
        """Store what a finished run needs, and the state of one that is `running`."""
        net = self._net
        history = [dict(row) for row in net.history] if net.callbacks_ else len(net.history)
        errors = net.divergence_.errors.items()
        self.checkpoints.write(
            self.name,
            {
                "running": running,
                # of a run that is over, weights that the optimiser has are in the clock as well
                "clock": net.clock_.snapshot(running and net.optimizer_.averaged),
                "steps": net.steps_.snapshot(),
                "observer": net.observer_.snapshot(),
                "attributes": [
                    {name: getattr(module, name) for name in names}
                    for module, names in _changing(net.module_)
                ],
                "errors": {member: [str(e), list(e.members)] for member, e in errors},
                "history": history,
            },
        )

    def _restore(self, state, valid):
        net, device = self._net, self._net.device
        running = state["running"]
        members = state["clock"]["members"]
        if len(members) < net.clock_.n_members:
            net._keep(members.to(device), *([] if valid is None else [valid]))
        net.clock_.resume(placed(state["clock"], device), net.optimizer_.averaged)
        net.steps_.resume(placed(state["steps"], device))
        net.observer_.resume(placed(state["observer"], device))
        pairs = zip(_changing(net.module_), state["attributes"], strict=True)
        for (module, _), values in pairs:
            vars(module).update(values)
        net.divergence_.restore(state["errors"])
        self._restore_history(state["history"], running is not None)
        if running is None:
            self.finished = True
            return
        net.optimizer_.resume(running["optimizer"])
        self._train.resume(running["train"])
        for (module, name, original), (value, same) in zip(
            net.buffers_, running["buffers"], strict=True
        ):
            if same:
                # in place, as in training
                original.copy_(value)
            else:
                setattr(module, name, placed(value, device))
        self.first_epoch = len(net.history)
        self.losses = placed(running["losses"], device).unbind()

    def _restore_history(self, rows, running):
        """Restore the history of epochs that are over."""
        history = self._net.history
        rows = [{"epoch": k + 1} for k in range(rows)] if isinstance(rows, int) else rows
        for row in rows[:-1] if running else rows:
            history.new_epoch()
            for name, value in row.items():
                if name != "batches":
                    history.record(name, value)


def _changing(module):
    """Return pairs of parts of a module, and names of their attributes that training changes."""
    parts = [(part, getattr(part, "changing_attributes", ())) for part in module.modules()]
    return [pair for pair in parts if pair[1]]


def _classes(value):
    """Return the classes of modules in a state, which a file may name."""
    if isinstance(value, nn.Module):
        return {type(part) for part in value.modules()}
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return set().union(*map(_classes, value))
    return set()
