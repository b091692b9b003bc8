"""Figures 4 to 6 of the hypernetwork paper: rows of a task, number of tasks, width of networks."""

import resource

import pandas as pd
from common.cli import QUICK
from common.saving import save, saved
from common.summaries import standard_error, verdict
from common.timing import in_a_process
from hypernet_paper.data import PaperData, load
from hypernet_paper.methods import BATCH_SIZE, METADATA, run
from hypernet_paper.tables import OURS, chosen_settings, where
from skorch.callbacks import EpochTimer

from skmtl import MultiTaskHypernetRegressor, MultiTaskRegressor
from skmtl.architectures import (
    CrossStitch,
    MaximumRoaming,
    MultilinearRelation,
    SharedBottom,
    Sluice,
    TensorFactorization,
)
from skmtl.datasets import make_cubic, make_robot_arm

# rows of a task for training and validation
ROWS = {"Cubic": (5, 10, 20, 50, 100), "Robot Arm": (5, 10, 20, 50, 100)}
TASKS = {"Cubic": (5, 10, 20, 50, 100), "Robot Arm": (5, 10, 20, 40, 100)}
WIDTHS = (32, 128, 512, 2048, 4096)
TEST_ROWS = 100  # of a generated task


def generated(name, n_tasks, seed):
    """Draw any number of tasks; only 50 arms are published."""
    make = make_cubic if name == "Cubic" else make_robot_arm
    bunch = make(n_tasks, n_rows=20 + TEST_ROWS, random_state=1_000 + seed)
    kept = 10 if name == "Cubic" else 20
    return PaperData(name, bunch.data, bunch.target, "task", list(bunch.metadata), kept)


def gains(rows, size):
    """Return errors with and without metadata, and their paired difference, for each size."""
    lines = []
    for (name, value), part in rows.groupby(["data", "value"], sort=False):
        errors = part.pivot(index="seed", columns="metadata", values="mse")
        gain = errors[False] - errors[True]
        line = {"data": name, size: value, "seeds": len(gain)}
        line |= {"mse_with": errors[True].mean(), "mse_without": errors[False].mean()}
        lines.append({**line, "gain": gain.mean(), "standard_error": standard_error(gain)})
    return pd.DataFrame(lines)


def run_size(name, size, value, data_home, n_seeds):
    """Run our method with and without metadata, at one size.

    Parameters
    ----------
    name : str
        Of the data.
    size : {"n_rows", "n_tasks"}
        What `value` is a number of.
    value, n_seeds : int
    data_home : str or None

    Returns
    -------
    DataFrame
        A row per fit.
    """
    found, seeds = [], range(n_seeds)
    for kind, on in METADATA.items():
        settings = [chosen_settings(name, kind)]
        if size == "n_rows":
            data = load(name, data_home, n_kept=value)
            found.append(run(data, OURS, on, settings, seeds))
        else:
            # other tasks for every seed
            found += [run(generated(name, value, s), OURS, on, settings, [s]) for s in seeds]
    return pd.concat(found).drop(columns="choice").assign(size=size, value=value)


def figures_4_and_5(data_home, n_seeds, data_names, resume=False):
    """Measure what metadata gain, by rows of a task and by number of tasks."""
    names = [name for name in data_names if name in ROWS]
    rows = saved("sizes") if resume else pd.DataFrame()
    for size, values in (("n_rows", ROWS), ("n_tasks", TASKS)):
        for name in names:
            for value in values[name][1::3] if QUICK else values[name]:
                wanted = {"data": name, "size": size, "value": value}
                if len(where(rows, wanted)):
                    continue
                found = run_size(name, size, value, data_home, n_seeds)
                rows = pd.concat([rows, found], ignore_index=True)
                save(rows, "sizes")
                print(f"{name}, {size} {value}: {found['mse'].mean():.4f}", flush=True)
    by_rows, by_tasks = (
        gains(rows[rows["size"] == size].sort_values(["data", "value"]), size)
        for size in ("n_rows", "n_tasks")
    )
    save(checks(by_rows, by_tasks), "figures_4_and_5_checks")
    save(by_rows, "figure4")
    save(by_tasks, "figure5")
    for table in (by_rows, by_tasks):
        print(table.to_string(index=False, float_format="%.4f"), end="\n\n")


def checks(by_rows, by_tasks):
    """Return checks that a broken model fails."""
    lines = []
    cubic = by_rows[by_rows["data"] == "Cubic"].set_index("n_rows")["gain"]
    arms = by_tasks[by_tasks["data"] == "Robot Arm"].set_index("n_tasks")["gain"]
    for name, gain, more, less in (
        ("Cubic: gain at 100 rows a task below that at 10", cubic, 10, 100),
        ("Robot Arm: gain with 40 arms above that with 10", arms, 40, 10),
    ):
        if len(gain):
            lines.append({"check": name, "less": gain[less], "more": gain[more]})
            lines[-1]["result"] = verdict(gain[more] > gain[less])
            print(f"{name}: {gain[less]:.4f} and {gain[more]:.4f}")
    return pd.DataFrame(lines)


CONTENDERS = {
    "Hypernetwork": None,
    "Hard sharing": SharedBottom,
    "MRN": MultilinearRelation,
    "Cross-stitch": CrossStitch,
    "Sluice": Sluice,
    "DMTRL": TensorFactorization,
    "MR": MaximumRoaming,
}


def one_width(name, width):
    """Return milliseconds of a step, megabytes of the process at its peak, and parameters.

    For a fresh process; torch chooses the number of threads, since there is one network only.
    """
    # steps an epoch, and epochs that are timed, after one in which memory is touched first
    n_steps, n_epochs = (10, 50) if width < 256 else (10, 10) if width < 1024 else (5, 1)
    data = make_cubic(10, n_steps * BATCH_SIZE // 10, random_state=0)
    settings = {"batch_size": BATCH_SIZE, "early_stopping": False, "weight_averaging": 0.0}
    settings |= {"task_id": "task", "random_state": 0}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    settings |= {"max_iter": 1 + n_epochs, "callbacks": [EpochTimer()]}
    sizes = (width,) * 3
    if CONTENDERS[name] is None:
        model = MultiTaskHypernetRegressor(hidden_layer_sizes=sizes, linear_skip=False, **settings)
    else:
        model = MultiTaskRegressor(CONTENDERS[name](hidden_layer_sizes=sizes), **settings)
    model.fit(data.data[["x", "task"]], data.target)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    n_parameters = sum(p.numel() for p in model.module_.parameters())
    step = model.history_["dur"].iloc[1:].sum() / (n_steps * n_epochs)
    return {
        "milliseconds_a_step": step * 1e3,
        "megabytes": (peak - before) / 1024,
        "parameters": n_parameters,
    }


def figure6(widths):
    """Measure time and memory of a step against the width of three hidden layers, on Cubic."""
    rows = []
    for width in widths:
        for name in list(CONTENDERS)[: 1 if QUICK else None]:
            row = {"method": name, "width": width}
            try:
                row |= in_a_process(one_width, name, width)
            except (MemoryError, RuntimeError) as error:
                # the machine has not enough memory for it
                row["note"] = str(error)[:100]
            rows.append(row)
            print(row, flush=True)
    save(pd.DataFrame(rows), "figure6")
