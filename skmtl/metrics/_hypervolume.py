"""Hypervolume: the volume dominated by a front of losses."""

from importlib.util import find_spec

import numpy as np
from sklearn.utils import check_random_state

# random points that are compared at once, which bounds memory
_POINTS_PER_CHUNK = 2**16


def hypervolume(
    points, reference, *, n_samples=100_000, return_error=False, method="auto", random_state=0
):
    """Return the volume that a set of points dominates, up to a reference point.

    All objectives are losses: smaller is better. A larger hypervolume means that the points are
    closer to the ideal point or cover more of the front.

    Parameters
    ----------
    points : array-like of shape (n, T)
        Losses. Points that are not better than the reference point in every task are ignored.
    reference : array-like of shape (T,)
        The reference point. Only volumes with the same reference point are comparable.
    n_samples : int, default=100_000
        Number of random points of the Monte Carlo estimate.
    return_error : bool, default=False
        Whether to also return the standard error, which is 0 for exact volumes.
    method : {"auto", "exact", "monte carlo"}, default="auto"
        "auto" is exact for up to three objectives, and beyond if the package moocore is installed;
        otherwise a Monte Carlo estimate.
    random_state : int, RandomState instance or None, default=0
        Determines the random points.

    Returns
    -------
    volume : float
        In the product of the units of the losses.
    error : float
        Its standard error, if `return_error` is True.

    Raises
    ------
    ValueError
        If shapes do not fit, a number is not finite, or an exact volume of more than three
        objectives is requested but moocore is not installed.

    See Also
    --------
    skmtl.ParetoHypernet.pareto_front : Return the points of a front.

    Notes
    -----
    The hypervolume is the measure of the union of the boxes between each point and the reference
    point [1]_: with two objectives a sum over the sorted front, with three a sum over slices along
    the third one. The estimate draws points between the ideal point and the reference point; its
    standard error is that of a proportion.

    References
    ----------
    .. [1] Zitzler and Thiele, "Multiobjective evolutionary algorithms: a comparative case study and
       the strength Pareto approach", IEEE Transactions on Evolutionary Computation 3, 1999.

    Examples
    --------
    >>> from skmtl.metrics import hypervolume
    >>> hypervolume([[0.2, 0.6], [0.5, 0.5]], reference=[1, 1])
    0.37
    """
    points, reference = _checked(points, reference)
    if method not in ("auto", "exact", "monte carlo"):
        raise ValueError(f"method must be 'auto', 'exact' or 'monte carlo', got {method!r}.")
    n_tasks = len(reference)
    points = points[(points < reference).all(axis=1)]
    volume, error = 0.0, 0.0
    if len(points):
        exact = n_tasks <= 3 or find_spec("moocore") is not None
        if method == "exact" and not exact:
            raise ValueError(
                f"an exact volume of {n_tasks} objectives needs the package moocore, which is not "
                "installed; use method='monte carlo'."
            )
        if method == "monte carlo" or not exact:
            volume, error = _estimate(points, reference, n_samples, random_state)
        elif n_tasks <= 3:
            volume = _EXACT[n_tasks](points, reference)
        else:
            import moocore

            volume = float(moocore.hypervolume(points, ref=reference))
    return (volume, error) if return_error else volume


def _checked(points, reference):
    points = np.asarray(points, dtype=np.float64)
    reference = np.asarray(reference, dtype=np.float64)
    if reference.ndim != 1 or not len(reference):
        raise ValueError(f"reference must be one number per objective, got {reference!r}.")
    if points.ndim != 2 or points.shape[1] != len(reference):
        raise ValueError(
            f"points must have the shape (n, {len(reference)}), a column for each number of the "
            f"reference point; got {points.shape}."
        )
    if not (np.isfinite(points).all() and np.isfinite(reference).all()):
        raise ValueError("points and reference must be finite numbers.")
    return points, reference


def _length(points, reference):
    return float(reference[0] - points.min())


def _area(points, reference):
    points = points[np.lexsort((points[:, 1], points[:, 0]))]
    # the best second loss of all points so far: the front is a staircase
    best = np.minimum.accumulate(points[:, 1])
    right = np.append(points[1:, 0], reference[0])
    return float((right - points[:, 0]) @ (reference[1] - best))


def _volume(points, reference):
    points = points[np.argsort(points[:, 2], kind="stable")]
    heights = np.append(points[:, 2], reference[2])
    volume = 0.0
    for k in range(len(points)):
        thickness = heights[k + 1] - heights[k]
        if thickness > 0:
            volume += thickness * _area(points[: k + 1, :2], reference[:2])
    return float(volume)


_EXACT = {1: _length, 2: _area, 3: _volume}


def _estimate(points, reference, n_samples, random_state):
    generator = check_random_state(random_state)
    ideal = points.min(axis=0)
    box = float(np.prod(reference - ideal))
    inside = 0
    for start in range(0, n_samples, _POINTS_PER_CHUNK):
        size = min(_POINTS_PER_CHUNK, n_samples - start)
        sample = generator.uniform(ideal, reference, size=(size, len(reference)))
        dominated = np.zeros(size, dtype=bool)
        for point in points:
            dominated |= (point <= sample).all(axis=1)
        inside += int(dominated.sum())
    share = inside / n_samples
    return box * share, box * float(np.sqrt(share * (1 - share) / n_samples))
