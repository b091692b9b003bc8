"""Shares of variances with standard errors, from variances of members."""

import numpy as np
import pandas as pd


def share_table(variances, errors, part_of, ratios):
    """Return a table of shares, one row per source, in the order of `part_of`, then `ratios`.

    `variances` and their standard `errors` have a row per member. `part_of` says by source what its
    share is a part of; those of "total" add up to 1. `ratios` are by name two lists of sources,
    those above and those that are added to them below.
    """
    parts = [name for name, of in part_of.items() if of == "total"]
    total = variances[parts].sum(axis=1)
    squares, shares, sampling = errors**2, {}, {}
    sums = squares[parts].sum(axis=1)
    for name in part_of:
        share = shares[name] = variances[name] / total
        # the rest of the total moves apart from the part itself (delta method)
        rest = (sums - squares[name]).clip(lower=0)
        sampling[name] = np.sqrt((1 - share) ** 2 * squares[name] + share**2 * rest) / total
    for name, (above, added) in ratios.items():
        both = variances[[*above, *added]].sum(axis=1)
        ratio = shares[name] = (variances[above].sum(axis=1) / both).where(both > 0, 0.0)
        left, right = (squares[names].sum(axis=1) for names in (above, added))
        error = np.sqrt((1 - ratio) ** 2 * left + ratio**2 * right)
        sampling[name] = error / both.clip(lower=1e-300)
    shares, sampling = pd.DataFrame(shares), pd.DataFrame(sampling)
    spread = shares.var(ddof=1 if len(shares) > 1 else 0)
    return pd.DataFrame(
        {
            "variance": variances[list(part_of)].mean(),
            "share": shares.mean(),
            "share_se": np.sqrt(sampling.pow(2).mean() + spread),
            "part_of": part_of | dict.fromkeys(ratios, "ratio"),
        },
        index=pd.Index([*part_of, *ratios], name="source"),
    )
