"""Gains by measuring every candidate group."""


def exhaustive(measurements, candidates):
    """Measure all candidates.

    Parameters
    ----------
    measurements : Measurements
    candidates : ndarray of shape (n, n_tasks) of bool

    Returns
    -------
    ndarray of shape (n, n_tasks)
    """
    return measurements(candidates)
