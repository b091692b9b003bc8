"""The pictures of the paper on MTG-Net: figure 2 for tables of gains, figure 3 for many tasks."""

import matplotlib as mpl
import numpy as np
from _common import save_figure
from _known_gains import QUICK, chosen_gain, of_unmeasured

from skmtl.grouping import MTGNet

mpl.use("Agg")

# label: method and rounds of MTG-Net, None for (N - 1) / 2
WAYS = {
    "HOA": ("hoa", None),
    "TAG": ("tag", None),
    "MTG-Net, K = 1": (MTGNet(**QUICK), 1),
    "MTG-Net, K = (N - 1) / 2": (MTGNet(**QUICK), None),
}
# of a histogram: the rest is counted in the last bins
_SHARE_SHOWN = 0.98


def figure2(tables, name, limits=None, ways=WAYS):
    """True mean gain of chosen groups by their number, errors of estimates, true gains.

    Parameters
    ----------
    tables : list of Table
        A row of panels for each.
    name : str
        Of the file.
    limits : sequence of int, optional
        Largest numbers of groups; by default 1 to the number of tasks.
    ways : dict of str to tuple
        Methods, and rounds of MTG-Net.
    """
    from matplotlib import pyplot as plt

    size = 11, 2.9 * len(tables)
    figure, axes = plt.subplots(len(tables), 3, figsize=size, layout="constrained", squeeze=False)
    for table, (left, middle, right) in zip(tables, axes, strict=True):
        own = range(1, table.groups.shape[1] + 1) if limits is None else limits
        errors = {}
        colours = dict(zip(ways, mpl.color_sequences["tab10"], strict=False))
        for label, (method, rounds) in ways.items():
            predicted, true, measured = table.estimate(method, 0, rounds)
            gains = [chosen_gain(predicted, true, n) for n in own]
            left.plot(own, gains, color=colours[label], marker="o", markersize=3, label=label)
            if method == "tag":
                continue  # affinities are no gains
            errors[label] = np.subtract(*of_unmeasured(predicted, true, measured))
        random, oracle = zip(*(table.bounds(n) for n in own), strict=True)
        left.plot(own, oracle, "k--", label="oracle")
        left.plot(own, random, "k:", label="random")
        left.set(title=table.name, xlabel="groups at most", ylabel="true mean gain")
        widest = np.quantile(np.abs(np.concatenate(list(errors.values()))), _SHARE_SHOWN)
        bins = np.linspace(-widest, widest, 41)
        for label, values in errors.items():
            look = {"histtype": "step", "density": True, "color": colours[label]}
            middle.hist(values.clip(-widest, widest), bins, label=label, **look)
        middle.set(xlabel="estimated gain - true gain", ylabel="density")
        values = table.values[table.groups & (table.groups.sum(1) > 1)[:, None]]
        right.hist(values.clip(*np.quantile(values, [1 - _SHARE_SHOWN, _SHARE_SHOWN])), 40)
        right.set(xlabel="true gain in groups of several", ylabel="pairs of task and group")
    axes[0, 0].legend(fontsize=7)
    axes[0, 1].legend(fontsize=7)
    save_figure(figure, name)


def figure3(runs, shown, name):
    """Scores by the number of groups and of rounds, and active against random sampling.

    Parameters
    ----------
    runs : DataFrame
        With the columns method, rounds (missing for those that have none), limit, seed and score.
    shown : sequence of int
        Rounds that have a line of their own.
    name : str
        Of the file.
    """
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    active = runs[runs["method"] == "mtgnet"]
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(shown)))
    for rounds, colour in zip(shown, colours, strict=True):
        some = active[active["rounds"] == rounds].groupby("limit")["score"].mean()
        left.plot(some.index, some, marker="o", markersize=3, color=colour, label=f"K = {rounds}")
    for method, style in (("hoa", "k--"), ("tag", "k:")):
        some = runs[runs["method"] == method].groupby("limit")["score"].mean()
        left.plot(some.index, some, style, label=method.upper())
    left.set(title="a", xlabel="groups at most", ylabel="score")
    for method, label in (("mtgnet", "active"), ("random sampling", "random")):
        by_seed = runs[runs["method"] == method].groupby(["rounds", "seed"])["score"].mean()
        grouped = by_seed.groupby(level="rounds")
        mean, error = grouped.mean(), grouped.sem()
        right.errorbar(mean.index, mean, error, marker="o", markersize=3, label=label)
    right.set(title="b", xlabel="rounds K", ylabel="score, mean over groups at most")
    left.legend(fontsize=7)
    right.legend(fontsize=7)
    save_figure(figure, name)
