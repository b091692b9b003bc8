"""Ranks of methods over data sets: the tests of Friedman and of Nemenyi."""

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, studentized_range


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
    DataFrame
        One row per method, the best first: mean rank, and p of Nemenyi's test against `reference`.
    """
    p = friedmanchisquare(*errors.to_numpy().T).pvalue if len(errors) > 2 else np.nan
    ranks = errors.rank(axis=1).mean().sort_values()
    n_blocks, n_methods = errors.shape
    unit = np.sqrt(n_methods * (n_methods + 1) / (12 * n_blocks))
    distances = (ranks - ranks[reference]).abs().to_numpy() / unit
    table = pd.DataFrame({"method": ranks.index, "mean_rank": ranks.to_numpy()})
    table["nemenyi_p"] = studentized_range.sf(distances, n_methods, np.inf)
    return table.assign(friedman_p=p, n_blocks=n_blocks)
