"""Scaling of features, with errors for values too extreme to learn from."""

import numpy as np

from skmtl._data.columns import LARGEST


def scaled_features(features, scaler, names):
    """Scale features, and refuse values that are too extreme.

    Parameters
    ----------
    features : ndarray of shape (n, d)
    scaler : StandardScaler
    names : list
        Names of the features.

    Returns
    -------
    ndarray of shape (n, d)

    Raises
    ------
    ValueError
        If a value is so far from the others that its square overflows, or that the others
        cannot be distinguished after scaling.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = scaler.transform(features)
        broken = ~np.isfinite(scaler.scale_) & (np.abs(features) > LARGEST)
        bad = np.argwhere(~(np.abs(scaled) < LARGEST) | broken)
    bad = bad if len(bad) else _single_outliers(features, scaled)
    if len(bad):
        # one value can make the scale useless for all
        values, name = features[:, bad[0][1]], names[bad[0][1]]
        furthest = values[np.abs(values - np.median(values)).argmax()]
        raise ValueError(
            f"the feature {name!r} has the value {furthest:g}, too far from the "
            "others to be learned from; correct it, drop the row, or transform the column "
            "(its logarithm, sklearn.preprocessing.QuantileTransformer)."
        )
    return scaled


def _single_outliers(features, scaled):
    """Find values so extreme that the others of their column become equal in single precision.

    Parameters
    ----------
    features, scaled : ndarrays of shape (n, d)

    Returns
    -------
    ndarray of shape (k, 2)
        Rows and columns.
    """
    n_rows = len(scaled)
    if n_rows < 3:
        return np.empty((0, 2), dtype=np.int64)
    furthest = np.abs(scaled).argmax(axis=0)
    # such a value contributes nearly all variance of its column
    size = np.abs(scaled[furthest, np.arange(scaled.shape[1])])
    bad = []
    for column in np.flatnonzero(2 * size**2 > n_rows):
        row = furthest[column]
        others = np.delete(features[:, column], row)
        same = np.ptp(np.delete(scaled[:, column], row).astype(np.float32)) == 0
        if same and (others != others[0]).any():
            bad.append((row, column))
    return np.array(bad, dtype=np.int64).reshape(-1, 2)
