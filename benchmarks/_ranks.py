"""Ranks of methods over data sets: Friedman's and Nemenyi's tests, critical-difference diagrams."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import scikit_posthocs
from _common import save_figure
from scipy.stats import friedmanchisquare

mpl.use("Agg")


def compare_ranks(errors, reference):
    """Rank methods in every block and test whether they differ.

    Parameters
    ----------
    errors : DataFrame
        One row per block, one column per method.
    reference : str
        The method with which the others are compared.

    Returns
    -------
    table : DataFrame
        One row per method, the best first: mean rank, and p of Nemenyi's test against `reference`.
    pairs : DataFrame
        p of all pairs.
    """
    p = friedmanchisquare(*errors.to_numpy().T).pvalue if len(errors) > 2 else np.nan
    pairs = scikit_posthocs.posthoc_nemenyi_friedman(errors.to_numpy())
    pairs = pairs.set_axis(errors.columns, axis=0).set_axis(errors.columns, axis=1)
    ranks = errors.rank(axis=1).mean().sort_values()
    table = pd.DataFrame({"method": ranks.index, "mean_rank": ranks.to_numpy()})
    table["nemenyi_p"] = pairs.loc[reference, ranks.index].to_numpy()
    return table.assign(friedman_p=p, n_blocks=len(errors)), pairs


def draw_ranks(errors, pairs, title, name):
    """A critical-difference diagram: methods on one bar cannot be told apart."""
    from matplotlib import pyplot as plt

    height = 1.6 + 0.14 * errors.shape[1]
    figure, axes = plt.subplots(figsize=(8, height), layout="constrained")
    scikit_posthocs.critical_difference_diagram(errors.rank(axis=1).mean(), pairs, ax=axes)
    axes.set_title(title)
    save_figure(figure, name)
