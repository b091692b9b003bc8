"""Figures 4 to 6 of the hypernetwork paper: rows of a task, number of tasks, width of networks."""

import resource
import subprocess
import sys

import pandas as pd
from _common import save, save_figure, saved, standard_error, verdict
from _paper_data import PaperData, load
from _paper_methods import BATCH_SIZE, METADATA, run
from _paper_tables import OURS, chosen_settings, where
from skorch.callbacks import EpochTimer

from skmtl import MultiTaskHypernetRegressor, baselines
from skmtl.datasets import make_cubic, make_robot_arm

# rows of a task for training and validation
ROWS = {"Cubic": (5, 10, 20, 50, 100), "Robot Arm": (5, 10, 20, 50, 100)}
TASKS = {"Cubic": (5, 10, 20, 50, 100), "Robot Arm": (5, 10, 20, 40, 100)}
WIDTHS = (32, 128, 512, 2048, 4096)
TEST_ROWS = 100  # of a generated task


def generated(name, n_tasks, seed):
    """As many tasks as one likes, for there are 50 published arms only."""
    make = make_cubic if name == "Cubic" else make_robot_arm
    bunch = make(n_tasks, n_rows=20 + TEST_ROWS, random_state=1_000 + seed)
    kept = 10 if name == "Cubic" else 20
    return PaperData(name, bunch.data, bunch.target, "task", list(bunch.metadata), kept)


def gains(rows, size):
    """Errors with and without metadata, and their paired difference, for each size."""
    lines = []
    for (name, value), part in rows.groupby(["data", "value"], sort=False):
        errors = part.pivot(index="seed", columns="metadata", values="mse")
        gain = errors[False] - errors[True]
        line = {"data": name, size: value, "seeds": len(gain)}
        line |= {"mse_with": errors[True].mean(), "mse_without": errors[False].mean()}
        lines.append({**line, "gain": gain.mean(), "standard_error": standard_error(gain)})
    return pd.DataFrame(lines)


def draw_gains(table, size, label, name):
    """Draw errors with and without metadata against sizes, a panel for each data set."""
    from matplotlib import pyplot as plt

    parts = list(table.groupby("data", sort=False))
    figure, axes = plt.subplots(1, len(parts), figsize=(4 * len(parts), 3), squeeze=False)
    for ax, (data_name, part) in zip(axes[0], parts, strict=True):
        ax.plot(part[size], part["mse_without"], "o--", label="without metadata")
        ax.plot(part[size], part["mse_with"], "o-", label="with metadata")
        ax.set(xscale="log", xlabel=label, ylabel="mean squared error", title=data_name)
        ax.set_xticks(part[size], part[size])
        ax.minorticks_off()
        ax.set_ylim(bottom=0)
    axes[0, 0].legend(frameon=False)
    save_figure(figure, name)


def run_size(name, size, value, data_home, n_seeds):
    """Our method with and without metadata, at one size.

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
    """What metadata gain, by rows of a task and by number of tasks."""
    names = [name for name in data_names if name in ROWS]
    rows = saved("paper_hypernet_sizes") if resume else pd.DataFrame()
    for size, values in (("n_rows", ROWS), ("n_tasks", TASKS)):
        for name in names:
            for value in values[name]:
                wanted = {"data": name, "size": size, "value": value}
                if len(where(rows, wanted)):
                    continue
                found = run_size(name, size, value, data_home, n_seeds)
                rows = pd.concat([rows, found], ignore_index=True)
                save(rows, "paper_hypernet_sizes")
                print(f"{name}, {size} {value}: {found['mse'].mean():.4f}", flush=True)
    by_rows, by_tasks = (
        gains(rows[rows["size"] == size].sort_values(["data", "value"]), size)
        for size in ("n_rows", "n_tasks")
    )
    save(checks(by_rows, by_tasks), "paper_hypernet_figures_4_and_5_checks")
    save(by_rows, "paper_hypernet_figure4")
    save(by_tasks, "paper_hypernet_figure5")
    draw_gains(by_rows, "n_rows", "rows of a task", "paper_hypernet_figure4")
    draw_gains(by_tasks, "n_tasks", "tasks", "paper_hypernet_figure5")
    for table in (by_rows, by_tasks):
        print(table.to_string(index=False, float_format="%.4f"), end="\n\n")


def checks(by_rows, by_tasks):
    """What a broken model fails."""
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
    "Hypernetwork": (MultiTaskHypernetRegressor, {"linear_skip": False}),
    "Hard sharing": (baselines.SharedBottomRegressor, {}),
    "MRN": (baselines.MultilinearRelationRegressor, {}),
    "Cross-stitch": (baselines.CrossStitchRegressor, {}),
    "Sluice": (baselines.SluiceRegressor, {}),
    "DMTRL": (baselines.TensorFactorizedRegressor, {}),
    "MR": (baselines.MaximumRoamingRegressor, {}),
}


def one_width(name, width):
    """Print milliseconds of a step, and memory of the process before and at its peak."""
    # threads as torch likes, since one network is all there is
    estimator, fixed = CONTENDERS[name]
    # steps an epoch, and epochs that are timed, behind one in which memory is touched first
    n_steps, n_epochs = (10, 50) if width < 256 else (10, 10) if width < 1024 else (5, 1)
    data = make_cubic(10, n_steps * BATCH_SIZE // 10, random_state=0)
    settings = {"batch_size": BATCH_SIZE, "early_stopping": False, "weight_averaging": 0.0}
    settings |= {"task_id": "task", "hidden_layer_sizes": (width,) * 3, "random_state": 0}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = estimator(**settings, **fixed, max_iter=1 + n_epochs, callbacks=[EpochTimer()])
    model.fit(data.data[["x", "task"]], data.target)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    n_parameters = sum(p.numel() for p in model.module_.parameters())
    step = model.history_["dur"].iloc[1:].sum() / (n_steps * n_epochs)
    print(step * 1e3, (peak - before) / 1024, n_parameters)


def figure6(widths):
    """Time and memory of a step against the width of three hidden layers, on Cubic."""
    rows = []
    for width in widths:
        for name in CONTENDERS:
            command = [sys.executable, __file__, name, str(width)]
            found = subprocess.run(command, capture_output=True, text=True, check=False)
            row = {"method": name, "width": width}
            if found.returncode:
                # the machine has not enough memory for it
                rows.append({**row, "note": (found.stderr.splitlines() or ["killed"])[-1][:100]})
            else:
                values = map(float, found.stdout.split())
                keys = "milliseconds_a_step", "megabytes", "parameters"
                rows.append({**row, **dict(zip(keys, values, strict=True))})
            print(rows[-1], flush=True)
    save(pd.DataFrame(rows), "paper_hypernet_figure6")


if __name__ == "__main__":
    one_width(sys.argv[1], int(sys.argv[2]))
