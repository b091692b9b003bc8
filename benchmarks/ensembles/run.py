"""Coverage of 90% intervals from the spread of an ensemble: on schools, and on the Cubic tasks.

The spread of the members shows how much the initial weights matter; intervals for labels need the
noise of the labels, too. Both are measured on rows that no member was trained on.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from common.cli import FEW_EPOCHS, QUICK, parser
from common.saving import save
from common.summaries import standard_error
from scipy.stats import norm
from sklearn.model_selection import GroupShuffleSplit
from tqdm import tqdm

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import load_high_school, make_cubic
from skmtl.model_selection import TaskShuffleSplit

WIDTH = norm.ppf(0.95)


def school_splits(seed):
    """Split pupils into training rows and test rows of known and of unseen schools."""
    schools = load_high_school()
    X, y = schools.data, schools.target
    groups = X[schools.task_id]
    seen, unseen = next(GroupShuffleSplit(1, test_size=0.2, random_state=seed).split(X, y, groups))
    train, test = next(
        TaskShuffleSplit(schools.task_id, 1, test_size=0.25, random_state=seed).split(X.iloc[seen])
    )
    tests = {"known": seen[test], "unseen": unseen}
    return schools, X, y, seen[train], tests


def cubic_splits(seed):
    """Split Cubic into training rows and test rows of known and of unseen tasks."""
    cubic = make_cubic(n_tasks=25, n_rows=60, random_state=seed)
    X, y = cubic.data, cubic.target
    tasks = X[cubic.task_id].to_numpy()
    rank = X.groupby(cubic.task_id).cumcount().to_numpy()
    known = tasks < 20
    tests = {
        "known": np.flatnonzero(known & (rank >= 10)),
        "unseen": np.flatnonzero(~known),
    }
    return cubic, X, y, np.flatnonzero(known & (rank < 10)), tests


def noise_variance(model, y):
    """Return the variance of labels around members on validation rows, mean over members."""
    losses = model.history_.groupby("member")["valid_loss"].min()
    return float(losses.mean()) * np.var(y)


def coverage(data, splits, seed, n_members):
    """Yield the share of test labels in their intervals, and the widths of these."""
    bunch, X, y, train, tests = splits(seed)
    model = MultiTaskHypernetRegressor(
        task_id=bunch.task_id,
        metadata=bunch.metadata,
        n_members=n_members,
        random_state=seed,
        **FEW_EPOCHS,
    )
    model.fit(X.iloc[train], y.iloc[train])
    noise = noise_variance(model, y.iloc[train])
    for rows, numbers in tests.items():
        mean, spread = model.predict(X.iloc[numbers], return_std=True)
        error = np.abs(y.iloc[numbers].to_numpy() - mean)
        for interval, deviation in (
            ("spread", spread),
            ("spread and noise", np.sqrt(spread**2 + noise)),
        ):
            yield {
                "data": data,
                "rows": rows,
                "interval": interval,
                "seed": seed,
                "coverage": float(np.mean(error <= WIDTH * deviation)),
                "half_width": float(np.mean(WIDTH * deviation)),
                "rmse": float(np.sqrt(np.mean(error**2))),
            }


def main():
    """Measure, print and save."""
    parse = parser(__doc__)
    parse.add_argument("--seeds", type=int, default=5)
    parse.add_argument("--members", type=int, default=10)
    arguments = parse.parse_args()
    if QUICK:
        arguments.seeds, arguments.members = 1, 2
    rows = []
    for seed in tqdm(range(arguments.seeds), unit="seed"):
        for data, splits in (("cubic", cubic_splits), ("high_school", school_splits)):
            rows.extend(coverage(data, splits, seed, arguments.members))
        save(pd.DataFrame(rows), "runs")
    table = pd.DataFrame(rows).groupby(["data", "rows", "interval"])
    summary = table[["coverage", "half_width", "rmse"]].mean()
    summary.insert(1, "standard_error", table["coverage"].agg(standard_error))
    save(summary.reset_index(), "summary", members=str(arguments.members))
    print(summary.round(3).to_string())


if __name__ == "__main__":
    main()
