"""Gains drawn at random, so that groups are selected at random, to measure others against."""

import numpy as np


def at_random(candidates, generator):
    """Draw a number for every task in every group.

    Parameters
    ----------
    candidates : ndarray of shape (n, n_tasks) of bool
    generator : RandomState

    Returns
    -------
    ndarray of shape (n, n_tasks)
    """
    return np.where(candidates, generator.standard_normal(candidates.shape), np.nan)
