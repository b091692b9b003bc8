"""Pictures of the page of measurements, drawn from result files when Sphinx starts."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from results import read
from scipy.stats import studentized_range

mpl.use("Agg")

from matplotlib import pyplot as plt

FOLDER = Path(__file__).parents[1] / "figures"


def ranks(table, title, unit="blocks"):
    """Draw mean ranks; methods that a bar joins do not differ by Nemenyi's test.

    Parameters
    ----------
    table : DataFrame
        Columns method, mean_rank and n_blocks.
    title : str
    unit : str, default="blocks"
        Over what ranks are averaged.

    Returns
    -------
    Figure
    """
    table = table.sort_values("mean_rank")
    means, n_blocks = table["mean_rank"].to_numpy(), table["n_blocks"].iloc[0]
    n_methods = len(means)
    # the critical difference at the level of 5%
    scale = np.sqrt(n_methods * (n_methods + 1) / (12 * n_blocks))
    critical = studentized_range.ppf(0.95, n_methods, np.inf) * scale
    last = np.searchsorted(means, means + critical, side="right") - 1
    height = 1.2 + 0.24 * n_methods
    figure, axes = plt.subplots(figsize=(8, height), layout="constrained")
    axes.plot(means, range(n_methods), "o")
    position = means[-1]
    for first in range(n_methods):
        # a bar within another one says nothing new
        if last[first] > first and (first == 0 or last[first] > last[first - 1]):
            position += 0.03 * n_methods
            axes.plot([position] * 2, [first - 0.1, last[first] + 0.1], color="0.3", linewidth=2)
    axes.set_yticks(range(n_methods), table["method"])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.4)
    axes.set(title=title, xlabel=f"mean rank over {n_blocks} {unit}, 1 is best")
    return figure


def errors_by_size(table, size, label):
    """Draw errors with and without metadata against sizes, a panel for each data set."""
    parts = list(table.groupby("data", sort=False))
    shape = {"figsize": (4 * len(parts), 3), "squeeze": False, "layout": "constrained"}
    figure, axes = plt.subplots(1, len(parts), **shape)
    for panel, (name, part) in zip(axes[0], parts, strict=True):
        panel.plot(part[size], part["mse_without"], "o--", label="without metadata")
        panel.plot(part[size], part["mse_with"], "o-", label="with metadata")
        panel.set(xscale="log", xlabel=label, ylabel="mean squared error", title=name)
        panel.set_xticks(part[size], part[size])
        panel.minorticks_off()
        panel.set_ylim(bottom=0)
    axes[0, 0].legend(frameon=False)
    return figure


def gains(table):
    """Draw gains of chosen groups, errors of estimates and true gains, a row for each table."""
    names = table["table"].unique()
    shape = {"figsize": (8, 2.4 * len(names)), "squeeze": False, "layout": "constrained"}
    figure, axes = plt.subplots(len(names), 3, **shape)
    styles = {"oracle": "k--", "random": "k:"}
    for name, (left, middle, right) in zip(names, axes, strict=True):
        parts = dict(list(table[table["table"] == name].groupby("panel")))
        colours = {}
        for label, part in parts["gains"].groupby("label", sort=False):
            style = styles.get(label, "o-")
            (line,) = left.plot(part["x"], part["y"], style, markersize=3, label=label)
            colours[label] = line.get_color()
        left.set(title=name, xlabel="groups at most", ylabel="true mean gain")
        for label, part in parts["errors"].groupby("label", sort=False):
            middle.step(part["x"], part["y"], where="post", color=colours[label], label=label)
        middle.set(xlabel="estimated gain - true gain", ylabel="density")
        bars = parts["true"]
        right.bar(bars["x"], bars["y"], np.diff(bars["x"]).mean(), align="edge")
        right.set(xlabel="true gain in groups of several", ylabel="pairs of task and group")
    axes[0, 0].legend(fontsize=7)
    axes[0, 1].legend(fontsize=7)
    return figure


def rounds(runs, shown=(1, 4, 7, 10, 13)):
    """Draw scores by the number of groups and of rounds, and active against random sampling."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    active = runs[runs["method"] == "mtgnet"]
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(shown)))
    for number, colour in zip(shown, colours, strict=True):
        means = active[active["rounds"] == number].groupby("limit")["score"].mean()
        left.plot(means, "o-", markersize=3, color=colour, label=f"K = {number}")
    for method, style in (("hoa", "k--"), ("tag", "k:")):
        means = runs[runs["method"] == method].groupby("limit")["score"].mean()
        left.plot(means, style, label=method.upper())
    left.set(title="a", xlabel="groups at most", ylabel="score")
    for method, label in (("mtgnet", "active"), ("random sampling", "random")):
        by_seed = runs[runs["method"] == method].groupby(["rounds", "seed"])["score"].mean()
        by_round = by_seed.groupby(level="rounds")
        mean, error = by_round.mean(), by_round.sem()
        right.errorbar(mean.index, mean, error, marker="o", markersize=3, label=label)
    right.set(title="b", xlabel="rounds K", ylabel="score, mean over groups at most")
    left.legend(fontsize=7)
    right.legend(fontsize=7)
    return figure


_SHOWN = {"rows": "new rows of known tasks", "tasks": "new tasks"}


def errors_by_table(table):
    """Draw our errors relative to the best rival of each data set, with two standard errors."""
    shape = {"figsize": (8, 4.2), "layout": "constrained", "sharex": True}
    figure, panels = plt.subplots(1, 2, **shape)
    for panel, (split, title) in zip(panels, _SHOWN.items(), strict=True):
        part = table[table["split"] == split]
        names = sorted(part["table"].unique(), reverse=True)
        for shift, (method, marker) in enumerate(_OURS.items()):
            rows = part[part["method"] == method].set_index("table")
            rows = rows.reindex(names).dropna(subset=["error"])
            x = 100 * (rows["ratio_to_best_rival"] - 1)
            y = [names.index(name) + 0.15 - 0.3 * shift for name in rows.index]
            error = 200 * rows["standard_error"]
            panel.errorbar(x, y, xerr=error, fmt=marker, markersize=5, label=method)
        panel.axvline(0, color="0.3", linewidth=1)
        panel.set_yticks(range(len(names)), names)
        panel.set(title=title, xlabel="error above the best rival's, %")
        panel.grid(axis="x", alpha=0.4)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


_OURS = {"hypernetwork": "o", "hypernetwork, 4 members": "s"}
_RIVALS = ("mixed model", "GPBoost", "LightGBM", "boosting (scikit-learn)", "ridge")


def time_and_error(table):
    """Draw the time of a fit against the error, medians over the data sets that all could fit."""
    table = table[(table["split"] == "rows") & table["method"].isin([*_OURS, *_RIVALS])]
    complete = table.groupby("table")["method"].transform("nunique") == len(_OURS) + len(_RIVALS)
    middle = table[complete].groupby("method")[["seconds", "ratio_to_best_rival"]].median()
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for method, (seconds, error) in middle.iterrows():
        excess = 100 * (error - 1)
        axes.plot(seconds, excess, _OURS.get(method, "x"), color="C0" if method in _OURS else "C1")
        axes.annotate(method, (seconds, excess), xytext=(6, 4), textcoords="offset points")
    axes.set(xscale="log", xlabel="seconds of a fit, with tuning of the rivals (median)")
    axes.set(ylabel="error above the\nbest rival's, %", xlim=(None, 4 * middle["seconds"].max()))
    axes.margins(y=0.12)
    axes.grid(alpha=0.4)
    return figure


def coverage(table):
    """Draw the share of labels inside of intervals: the mean over data sets and their range."""
    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    methods = table["method"].unique()[::-1].tolist()
    shown = (("known", "rows of known tasks", "o"), ("new", "rows of new tasks", "s"))
    for shift, (rows, label, marker) in enumerate(shown):
        part = table[table["rows"] == rows].set_index("method").loc[methods]
        middle = part["coverage"]
        ends = middle - part["lowest_coverage"], part["highest_coverage"] - middle
        y = np.arange(len(methods)) + 0.12 - 0.24 * shift
        axes.errorbar(100 * middle, y, xerr=100 * np.stack(ends), fmt=marker, label=label)
    axes.axvline(90, color="0.3", linewidth=1)
    axes.set_yticks(range(len(methods)), methods)
    axes.set(xlabel="labels inside of intervals for 90%: mean and range over data sets")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def times_faster(training, search):
    """Draw how many times as long as ours other ways to train take, with the range of the runs."""
    training = training[training["setting"] == "paper"].set_index("ratio")
    names = {
        "loop over tasks / ours": "a loop over tasks",
        "64 single runs / 64 members at once": "64 networks, one after the other",
    }
    bars = [(text, training.loc[name]) for name, text in names.items()]
    for _, row in search.iterrows():
        bars.append((f"GridSearchCV, two processes:\n{row['data']}, {row['training']}", row))
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for y, (_, row) in enumerate(reversed(bars)):
        axes.barh(y, row["median"], height=0.6, color="C0")
        axes.plot([row["min"], row["max"]], [y, y], color="0.2")
    axes.set_yticks(range(len(bars)), [text for text, _ in reversed(bars)])
    axes.axvline(1, color="0.3", linewidth=1)
    axes.set(xlabel="times as long as with skmtl: median and range of the runs")
    return figure


def figures():
    """Yield names and figures of all pictures."""
    table, _ = read("hypernet_paper/figure3")
    for (kind, blocks), part in table.groupby(["metadata", "blocks"]):
        name = f"hypernet_ranks_{kind}_{blocks}".replace(" ", "_")
        yield name, ranks(part, f"{kind}, blocks are {blocks}".capitalize())
    for number, size, label in ((4, "n_rows", "rows of a task"), (5, "n_tasks", "tasks")):
        table, _ = read(f"hypernet_paper/figure{number}")
        yield f"hypernet_figure{number}", errors_by_size(table, size, label)
    table, _ = read("real_tables/ranks")
    for kind, part in table.groupby("split"):
        yield f"real_tables_ranks_{kind}", ranks(part, _SHOWN[kind].capitalize(), "data sets")
    table, _ = read("real_tables/summary")
    yield "real_tables_errors", errors_by_table(table)
    yield "real_tables_time", time_and_error(table)
    yield "intervals_coverage", coverage(read("intervals/means")[0])
    yield "times_faster", times_faster(read("training_speed/ratios")[0], read("search/ratios")[0])
    for name in ("published", "made", "planted_members"):
        table, _ = read(f"grouping_paper/{name}_figure2")
        yield f"grouping_{name}", gains(table)
    table, _ = read("grouping_paper/planted_members_runs")
    yield "grouping_rounds", rounds(table)


def draw(app):
    """Draw all pictures into an ignored folder."""
    FOLDER.mkdir(exist_ok=True)
    for name, figure in figures():
        figure.savefig(FOLDER / f"{name}.svg")
        plt.close(figure)


def setup(app):
    """Draw before the pages are read."""
    app.connect("builder-inited", draw)
    return {"parallel_read_safe": True}
