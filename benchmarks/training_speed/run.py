"""Speed of training: our loop against a bare one, skorch's own and a loop over tasks.

Cubic with 20 tasks of 8 rows, batches of 64 rows: three steps an epoch.
"""

import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd
import torch
from common.cli import QUICK, parser
from common.saving import save
from common.summaries import spread, verdict
from common.timing import time_interleaved
from skorch import NeuralNet
from torch import nn
from torch.nn import functional as F

from skmtl.datasets import make_cubic
from skmtl.nn import ModuleInputs, TaskHypernetwork
from skmtl.training import (
    Batch,
    MemberAdam,
    MemberBatches,
    MemberNet,
    OptimizerSettings,
    TaskRows,
)

BATCH_SIZE = 64
LEARNING_RATE = 1e-3
# what is trained: the network of the paper, and the same with everything that we add by default
SETTINGS = {
    "paper": {
        "module": {"linear_skip": False, "embedding_alpha": 0.0},
        "loop": {"weight_decay": 0.0, "averaging": 0.0},
    },
    "with our additions": {
        "module": {"linear_skip": True, "embedding_alpha": 0.3},
        "loop": {"weight_decay": 1e-4, "averaging": 0.99},
    },
}


def cubic_rows():
    """Return scaled training rows of Cubic."""
    cubic = make_cubic(n_tasks=20, n_rows=8, random_state=0)

    def scaled(values):
        values = torch.as_tensor(values.to_numpy(copy=True), dtype=torch.float32)
        return (values - values.mean(0)) / values.std(0)

    tasks = torch.as_tensor(cubic.data[cubic.task_id].to_numpy(copy=True))
    first = cubic.data.drop_duplicates(cubic.task_id).sort_values(cubic.task_id)
    return TaskRows(
        features=scaled(cubic.data[["x"]]),
        tasks=tasks,
        targets=scaled(cubic.target.to_frame()),
        weights=torch.ones(len(tasks)),
        n_tasks=20,
        metadata=scaled(first[cubic.metadata]).unsqueeze(0),
    )


def build(table, n_members, setting):
    """Build untrained networks: one layer in the extractor, all layers 32 wide."""
    return TaskHypernetwork(
        table.n_tasks,
        table.features.shape[1],
        table.metadata.shape[2],
        seeds=list(range(n_members)),
        hypernet_layers=1,
        **SETTINGS[setting]["module"],
    )


def our_loop(table, n_members, setting, n_epochs):
    """Prepare the loop of the package."""
    net = MemberNet(
        build(table, n_members, setting),
        seeds=list(range(n_members)),
        optimizer_settings=OptimizerSettings(LEARNING_RATE, **SETTINGS[setting]["loop"]),
        batch_size=BATCH_SIZE,
        max_epochs=n_epochs,
    )
    rows = [torch.arange(len(table))] * n_members
    return partial(net.fit_members, table, rows)


class SimpleBatches:
    """Batches of an epoch in the simplest form: every row is a separate block, for one member."""

    def __init__(self, table):
        self.table = table
        self.all_tasks = torch.arange(table.n_tasks).unsqueeze(0)

    def __iter__(self):
        table = self.table
        order = torch.randperm(len(table))
        for rows in order.tensor_split(-(-len(order) // BATCH_SIZE)):
            slots = table.tasks[rows].unsqueeze(0)
            features, targets, weights = (
                values[rows].unsqueeze(0).unsqueeze(2)
                for values in (table.features, table.targets, table.weights)
            )
            inputs = ModuleInputs(features, self.all_tasks, slots, table.metadata)
            yield Batch(inputs, targets, weights, len(rows), None)


def bare_loop(batches, table, n_members, setting, n_epochs):
    """Prepare a loop of the same module and optimiser, and nothing else.

    Parameters
    ----------
    batches : {"ours", "simple", "free"}
        Made by the package; as in `SimpleBatches`; or made by the package once for all epochs,
        before the time starts.
    """
    module = build(table, n_members, setting)
    rows = [torch.arange(len(table))] * n_members
    if batches == "simple":
        epoch = SimpleBatches(table)
    else:
        generators = [torch.Generator().manual_seed(m) for m in range(n_members)]
        epoch = MemberBatches(table, rows, BATCH_SIZE, generators)
    if batches == "free":
        epoch = list(epoch)

    def run():
        optimizer = MemberAdam(module, lr=LEARNING_RATE, **SETTINGS[setting]["loop"])
        penalised = SETTINGS[setting]["module"]["embedding_alpha"] > 0
        for _ in range(n_epochs):
            for batch in epoch:
                optimizer.zero_grad(set_to_none=True)
                losses = (module(*batch.inputs) - batch.targets).square().mean(-1)
                loss = (losses * batch.weights).sum((1, 2)) / batch.counts
                if penalised:
                    loss = loss + module.penalty() / len(table)
                loss.sum().backward()
                optimizer.step()

    return run


class RowWise(nn.Module):
    """The same network for single rows, as a plain skorch net has them."""

    def __init__(self, table, setting):
        super().__init__()
        self.network = build(table, 1, setting)
        self.register_buffer("all_tasks", torch.arange(table.n_tasks).unsqueeze(0))
        self.register_buffer("metadata", table.metadata)

    def forward(self, x, task):
        """Map features (n, d) and task numbers (n,) to outputs (n, 1)."""
        inputs = x[None, :, None], self.all_tasks, task.unsqueeze(0), self.metadata
        return self.network(*inputs)[0, :, 0]


def skorch_loop(table, setting, n_epochs):
    """Prepare skorch's own net: its data loader, its callbacks, torch's Adam.

    It keeps no mean of the weights and has no penalty, so that it does less than ours if those are
    among the settings.
    """
    net = NeuralNet(
        RowWise(table, setting),
        criterion=nn.MSELoss,
        optimizer=torch.optim.Adam,
        lr=LEARNING_RATE,
        max_epochs=n_epochs,
        batch_size=BATCH_SIZE,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    X = {"x": table.features.numpy(), "task": table.tasks.numpy()}
    return partial(net.fit, X, table.targets.numpy())


class LoopOverTasks(nn.Module):
    """The same network in the style of the paper's code.

    The weights of each task are generated separately, and each network sees the whole batch; only
    the outputs for rows of its task are kept.
    """

    def __init__(self, table, embedding_dim=10, width=32, hidden=(32, 32, 32)):
        super().__init__()
        n_metadata = table.metadata.shape[2]
        draw = torch.empty(1, embedding_dim).uniform_(-(3**0.5), 3**0.5)
        self.embeddings = nn.Parameter(draw.repeat(table.n_tasks, 1))
        self.register_buffer("metadata", table.metadata[0])
        self.extractor = nn.Linear(embedding_dim + n_metadata, width)
        shapes = list(pairwise([table.features.shape[1], *hidden, table.targets.shape[1]]))

        self.A = nn.ParameterList(nn.Linear(width, a).weight.detach().T for a, _ in shapes)
        self.B = nn.ParameterList(nn.Linear(a, b).weight.detach().T for a, b in shapes)
        self.C = nn.ParameterList(nn.Linear(width, b).weight.detach().T for _, b in shapes)
        self.D = nn.ParameterList(nn.Linear(a, b).weight.detach().T for a, b in shapes)
        self.biases = nn.ModuleList(nn.Linear(width, b) for _, b in shapes)

    def forward(self, x, tasks):
        """Map features (n, d) and task numbers (n,) to outputs (n, 1)."""
        outputs = []
        for task in range(len(self.embeddings)):
            z = torch.cat([self.embeddings[task], self.metadata[task]])
            h = F.relu(self.extractor(z))
            y = x
            for n, (A, B, C, D, bias) in enumerate(
                zip(self.A, self.B, self.C, self.D, self.biases, strict=True)
            ):
                weights = ((A.T * h) @ C) * B + D
                y = y @ weights + bias(h)
                if n < len(self.A) - 1:
                    y = F.relu(y)
            outputs.append(y)
        return torch.stack(outputs)[tasks, torch.arange(len(x))]


def loop_over_tasks(table, n_epochs):
    """Prepare a bare loop with torch's Adam around `LoopOverTasks`."""
    module = LoopOverTasks(table)

    def run():
        optimizer = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE)
        for _ in range(n_epochs):
            order = torch.randperm(len(table))
            for rows in order.tensor_split(-(-len(order) // BATCH_SIZE)):
                optimizer.zero_grad()
                y = module(table.features[rows], table.tasks[rows])
                F.mse_loss(y, table.targets[rows]).backward()
                optimizer.step()

    return run


def contenders_for(table, setting, n_epochs):
    """Return functions that prepare a run, and the epochs of each run."""
    few = max(1, n_epochs // 5)  # for slow contenders
    runs = {
        "ours": (our_loop, table, 1, setting, n_epochs),
        "bare loop, our batches": (bare_loop, "ours", table, 1, setting, n_epochs),
        "bare loop, simple batches": (bare_loop, "simple", table, 1, setting, n_epochs),
        "bare loop, batches for free": (bare_loop, "free", table, 1, setting, n_epochs),
        "skorch's own loop": (skorch_loop, table, setting, n_epochs),
        "ours, 64 members": (our_loop, table, 64, setting, few),
        "bare loop, our batches, 64 members": (bare_loop, "ours", table, 64, setting, few),
    }
    if setting == "paper":
        runs["loop over tasks"] = (loop_over_tasks, table, few)
    return {name: partial(*run) for name, run in runs.items()}, {
        name: run[-1] for name, run in runs.items()
    }


def compare(setting, per_epoch):
    """Return ratios of one setting over the repeats.

    Returns
    -------
    list of dict
    """
    ours, bare = per_epoch["ours"], per_epoch["bare loop, our batches"]
    ratios = {
        "ours / bare loop, our batches": (ours / bare, 1.15, "at most"),
        "ours / bare loop, simple batches": (
            ours / per_epoch["bare loop, simple batches"],
            1.15,
            "at most",
        ),
        "ours / bare loop, batches for free": (
            ours / per_epoch["bare loop, batches for free"],
            None,
            "",
        ),
    }
    for kind in ("our", "simple"):
        bare = per_epoch[f"bare loop, {kind} batches"]
        ratios[f"overhead over the bare loop, {kind} batches: ours / skorch's"] = (
            (ours - bare) / (per_epoch["skorch's own loop"] - bare),
            1 / 3,
            "at most",
        )
    if "loop over tasks" in per_epoch:
        ratios["loop over tasks / ours"] = (per_epoch["loop over tasks"] / ours, 6.0, "at least")
    many = per_epoch["ours, 64 members"]
    ratios["64 members: ours / bare loop, our batches"] = (
        many / per_epoch["bare loop, our batches, 64 members"],
        None,
        "",
    )
    ratios["64 single runs / 64 members at once"] = (64 * ours / many, None, "")
    rows = []
    for name, (values, target, sense) in ratios.items():
        row = {"setting": setting, "ratio": name, **spread(values)}
        if target is not None:
            median = row["median"]
            row["target"] = f"{sense} {target:.3g}"
            row["result"] = verdict(median <= target if sense == "at most" else median >= target)
        rows.append(row)
    return rows


def main():
    """Time, print and save."""
    parse = parser(__doc__)
    parse.add_argument("--repeats", type=int, default=25)
    parse.add_argument("--epochs", type=int, default=30, help="epochs of one timed run")
    arguments = parse.parse_args()
    if QUICK:
        arguments.repeats, arguments.epochs = 2, 5
    torch.set_num_threads(1)
    torch.manual_seed(0)
    table = cubic_rows()
    n_steps = -(-len(table) // BATCH_SIZE)
    times, ratios = [], []
    for setting in SETTINGS:
        contenders, n_epochs = contenders_for(table, setting, arguments.epochs)
        time_interleaved(contenders, 1)  # the first calls of anything are slow
        seconds = time_interleaved(contenders, arguments.repeats)
        per_epoch = seconds * 1000 / pd.Series(n_epochs)
        for name in contenders:
            for unit, steps in (("epoch", 1), ("step", n_steps)):
                times.append(
                    {"setting": setting, "loop": name, "milliseconds per": unit}
                    | spread(per_epoch[name] / steps)
                )
        ratios += compare(setting, per_epoch)
    times, ratios = pd.DataFrame(times), pd.DataFrame(ratios)
    for table in (times, ratios):
        print(table.to_string(index=False, float_format="%.3f", na_rep=""), end="\n\n")
    notes = {
        "timing": f"{arguments.repeats} interleaved repeats of {arguments.epochs} epochs "
        f"(a fifth of that for 64 members and for the loop over tasks), {n_steps} steps an epoch, "
        "one thread"
    }
    save(times, "times", **notes)
    save(ratios, "ratios", **notes)


if __name__ == "__main__":
    main()
