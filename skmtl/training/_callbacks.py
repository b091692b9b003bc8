"""Callbacks: what they see, which of them may be used with several members, the progress bar.

A callback sees one net, whatever the number of members in it.
"""

import dis

import torch
from sklearn.base import clone
from skorch import callbacks as skorch_callbacks
from skorch.callbacks import Callback
from tqdm.auto import tqdm

# these change the course of training by one number for all members; ours are per member
_STEERING = {
    "EarlyStopping": "early_stopping=True with n_iter_no_change and tol",
    "LRScheduler": "learning_rate_init",
    "GradientNormClipping": "a lower learning_rate_init",
    "Checkpoint": "early_stopping=True, which keeps the best weights of every member",
}

# decide when to stop and what to keep, which is known when training starts again
_OF_VALIDATION = (skorch_callbacks.EarlyStopping, skorch_callbacks.Checkpoint)
_SCORING = (skorch_callbacks.EpochScoring, skorch_callbacks.BatchScoring)


def check_callbacks(callbacks, n_members, refit=False):
    """Return clones of callbacks, or an error if one scores, or steers several members.

    A `refit` has no validation rows: those that need them are left out.
    """
    checked = []
    for callback in callbacks or []:
        if isinstance(callback, type) or not hasattr(callback, "on_epoch_end"):
            raise TypeError(
                f"callbacks must be instances of skorch callbacks, got {callback!r}. Pass for "
                "example skorch.callbacks.EpochTimer()."
            )
        if isinstance(callback, _SCORING):
            raise TypeError(
                f"the callback {type(callback).__name__} scores batches of skorch's own kind, "
                "which there are none of here. Losses of every epoch are in history_; for scores "
                "use cross_validate."
            )
        for name, instead in _STEERING.items() if n_members > 1 else ():
            steers = isinstance(callback, getattr(skorch_callbacks, name))
            if steers and (name != "Checkpoint" or callback.load_best):
                raise ValueError(
                    f"the callback {name} steers training by one number, but {n_members} members "
                    f"train in parallel, each with its own. Use {instead} instead, or n_members=1."
                )
        if not (refit and isinstance(callback, _OF_VALIDATION)):
            checked.append(_copied(callback))
    return checked


def _copied(callback):
    try:
        return clone(callback, safe=False)
    except Exception as error:
        raise TypeError(
            f"the callback {type(callback).__name__} cannot be copied, and every fit uses a copy: "
            f"{error}. Store the arguments of its constructor under their own names (skorch's "
            "callbacks have get_params), and open files and locks in on_train_begin."
        ) from error


def epoch_record(history, clock, train_loss, valid_loss, validated=None):
    """Return an epoch's means over members in training; losses missing are from `validated`."""
    record = {"train_loss": train_loss.mean().item()}
    if valid_loss is not None:
        record["valid_loss"] = valid_loss.mean().item()
        best = min((row["valid_loss"] for row in history[:-1]), default=torch.inf)
        record["valid_loss_best"] = record["valid_loss"] < best
        record["best_loss"] = clock.best_loss.mean().item()
    elif validated is not None:
        earlier = validated[len(history) - 1]
        names = "valid_loss", "valid_loss_best", "best_loss"
        record |= {name: earlier[name] for name in names}
    return record | {"n_members": clock.n_members, "n_active": int(clock.active.sum())}


def raised_by(error, callbacks):
    """Whether one of the callbacks raises an error by a statement of its own.

    Otherwise a key was pressed while it ran: that may happen anywhere, and never is a `raise`.
    """
    traceback = error.__traceback__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame = traceback.tb_frame
    statement = dis.opname[frame.f_code.co_code[traceback.tb_lasti]]
    owner = frame.f_locals.get("self")
    return statement == "RAISE_VARARGS" and any(owner is callback for callback in callbacks)


class ProgressBar(Callback):
    """Show one bar for the runs of a fit: epochs, losses, training members.

    The second of two `runs` trains again on all rows. Without a terminal nothing is shown.
    """

    def __init__(self, runs=1):
        self.runs = runs
        self.bar_ = None

    def on_train_begin(self, net, **kwargs):
        last_epochs, done = net.stopping.last_epochs, len(net.history)
        n_epochs = net.max_epochs if last_epochs is None else max(last_epochs)
        if self.bar_ is None:
            options = {"total": n_epochs, "initial": done, "unit": "epoch", "disable": None}
            self.bar_ = tqdm(desc="fit", **options)
        else:
            self.bar_.set_description("refit", refresh=False)
            self._set_total(self.bar_.n + n_epochs)
            self.bar_.update(done)

    def on_epoch_end(self, net, **kwargs):
        last = net.history[-1]
        shown = {}
        if "valid_loss" in last:
            # decides when to stop, so it comes first: narrow terminals cut the line
            shown = {"valid": f"{last['valid_loss']:.4f}", "best": f"{last['best_loss']:.4f}"}
        shown["train"] = f"{last['train_loss']:.4f}"
        if last["n_members"] > 1:
            shown["members"] = last["n_active"]
        self.bar_.set_postfix(shown, refresh=False)
        self.bar_.update()

    def on_train_end(self, net, **kwargs):
        self.runs -= 1
        if self.runs == 0:
            self.close()
        else:
            self.bar_.refresh()

    def close(self):
        """End the bar at 100%, however early training stopped."""
        if self.bar_ is not None:
            self._set_total(self.bar_.n)
            self.bar_.close()
            self.bar_ = None

    def _set_total(self, total):
        self.bar_.total = total
        if hasattr(self.bar_, "container"):
            # tqdm's bar of a notebook has a total of its own
            self.bar_.container.children[1].max = total
        self.bar_.refresh()
