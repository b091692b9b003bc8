"""Errors for values too extreme to learn from."""

import numpy as np

from skmtl._data.columns import LARGEST

# the square of a label times a weight must not overflow
_LARGEST_WEIGHT = 1e100


def refuse_extremes(values, scaled, scales, names, what):
    """Raise an error for values of training rows that are too far from the others.

    `values` (n, d) and `scaled` are those before and after scaling. The square of such a value
    overflows, or the others cannot be distinguished after scaling. The error names the column and
    `what` it is: "feature" or "metadata column".
    """
    with np.errstate(over="ignore", invalid="ignore"):
        broken = ~np.isfinite(scales) & (np.abs(values) > LARGEST)
        bad = np.argwhere(((np.abs(scaled) >= LARGEST) | np.isinf(scaled)) | broken)
    if not len(bad):
        bad = _single_outliers(values, np.nan_to_num(scaled))
    if len(bad):
        # a single value can make the scale useless for all others
        column, name = values[:, bad[0][1]], names[bad[0][1]]
        column = column[~np.isnan(column)]
        furthest = column[np.abs(column - np.median(column)).argmax()]
        raise ValueError(
            f"the {what} {name!r} has the value {furthest:g}, too far from the "
            "others to be learned from; correct it, drop the row, or transform the column "
            "(its logarithm, sklearn.preprocessing.QuantileTransformer)."
        )


def refuse_extremes_to_predict(scaled, names, what):
    """Raise an error for scaled values (n, d) whose squares overflow.

    Columns beyond those that have `names` have no extremes.
    """
    # one pass at the speed of BLAS: no value is larger than the root of the sum of squares
    values = scaled.ravel(order="K")
    with np.errstate(over="ignore", invalid="ignore"):
        if values @ values < LARGEST**2:
            return
        bad = np.argwhere(~(np.abs(scaled) < LARGEST))
    if not len(bad):
        return
    row, column = bad[0]
    raise ValueError(
        f"the {what} {names[column]!r} has a value in row {row} that is {scaled[row, column]:.1e} "
        "standard deviations of the training rows from their mean; correct it, or mark it as "
        "missing (NaN)."
    )


def refuse_extreme_weights(weights):
    """Raise an error for weights next to which others vanish, or whose sum overflows."""
    largest = weights.max()
    if largest > min(LARGEST * np.median(weights[weights > 0]), _LARGEST_WEIGHT):
        rows = np.flatnonzero(weights == largest)
        raise ValueError(
            f"sample_weight has the value {largest:g} in row {rows[0] // weights[0].size}, too "
            "large or too far from the others; correct it, or divide all weights by their mean."
        )


def moderate(weights):
    """Divide weights by a power of two near their mean, which changes no bit of weighted means.

    `StandardScaler` takes every column for a constant one if the sum of weights is above 1e15.
    """
    return weights / 2.0 ** np.floor(np.log2(weights.mean()))


def _single_outliers(features, scaled):
    """Find values so extreme that the others of their column become equal in single precision.

    Returns their rows and columns, of shape (k, 2).
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
        others = others[~np.isnan(others)]
        if same and (others != others[:1]).any():
            bad.append((row, column))
    return np.array(bad, dtype=np.int64).reshape(-1, 2)
