"""Fronts of tables and of overlaid digits: hypervolumes, preferences chosen by validation rows.

Losses are divided by what the best constant has, so that the reference point is that constant.
"""

import time
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
import pandas as pd
from common.cli import QUICK
from common.data import multi_mnist as read_multi_mnist
from common.data import small_digits
from scipy.stats import qmc
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from skmtl import MultiTaskClassifier, MultiTaskRegressor, ParetoHypernet
from skmtl.architectures import SharedBottom
from skmtl.datasets import load_star
from skmtl.metrics import hypervolume
from skmtl.weighting import FixedWeights

N_PREFERENCES = 25
# weight decay, for every method chosen by the hypervolume on validation rows; on the largest table
# all of them chose the largest of the first two
ALPHAS = (1e-4, 3.0)
ALPHAS_OF = {"multi_mnist": (3.0, 10.0, 30.0)}
OURS = ("linear", "pareto")
# compared with as many networks, not with single ones
ENSEMBLE = "linear, 4 members"
# methods of one point instead of a front
POINTS = ("equal", "uncertainty", "dwa", "mgda")
# methods that take many times as long as the others, and how many draws they are given
EPO, PARETO_MTL = "PHN-EPO (epo, full size)", "25 networks of the Pareto solver"
DRAWS = {EPO: 2, PARETO_MTL: 3}


@dataclass
class Table:
    """Rows to train on, to choose a preference by, and to test on.

    Attributes
    ----------
    X, Y, X_valid, Y_valid, X_test, Y_test : tables
    classes : bool
        Whether labels are classes.
    reference : float
        Of every task, in multiples of the best constant's loss.
    """

    X: pd.DataFrame
    Y: pd.DataFrame
    X_valid: pd.DataFrame
    Y_valid: pd.DataFrame
    X_test: pd.DataFrame
    Y_test: pd.DataFrame
    classes: bool
    reference: float


def _split(X, Y, seed, classes, reference):
    X, X_test, Y, Y_test = train_test_split(X, Y, test_size=0.25, random_state=seed)
    X, X_valid, Y, Y_valid = train_test_split(X, Y, test_size=0.2, random_state=seed)
    return Table(X, Y, X_valid, Y_valid, X_test, Y_test, classes, reference)


def enb(seed, data_home):
    """Heating and cooling loads of buildings."""
    table = pd.read_csv(data_home / "enb" / "enb.csv")
    return _split(table.iloc[:, :8], table[["y1", "y2"]], seed, False, 0.1)


def star(seed, data_home):
    """Eight school tests, of which labels are missing as they come; 2,000 pupils."""
    bunch = load_star()
    Y = bunch.target[bunch.target.notna().any(axis=1)]
    Y = Y.sample(400 if QUICK else 2000, random_state=seed)
    return _split(bunch.data.loc[Y.index], Y, seed, False, 1.0)


def digits(seed, data_home):
    """Two digits overlaid: which is the left one, which the right one?"""
    X, Y, X_test, Y_test = small_digits(seed)
    X, X_valid, Y, Y_valid = train_test_split(X, Y, test_size=0.2, random_state=seed)
    return Table(X, Y, X_valid, Y_valid, X_test, Y_test, True, 1.0)


def multi_mnist(seed, data_home):
    """The same of 4,000 rows of handwritten digits and 1,000 to test on, whatever the seed."""
    X, Y, X_test, Y_test = read_multi_mnist(data_home)
    X, X_valid, Y, Y_valid = train_test_split(X, Y, test_size=0.2, random_state=seed)
    return Table(X, Y, X_valid, Y_valid, X_test, Y_test, True, 1.0)


TABLES = {"enb": enb, "digits": digits, "multi_mnist": multi_mnist, "star": star}
FROM_FILES = {"enb": "enb/enb.csv", "multi_mnist": "multi_mnist/multi_mnist.npz"}


def preferences(n_tasks):
    """Return preferences that cover the simplex evenly, corners included.

    They are evenly spaced for two tasks, and corners, centre and a quasi-random set for more.
    """
    if n_tasks == 2:
        first = np.linspace(0, 1, N_PREFERENCES)
        return np.column_stack([first, 1 - first])
    fixed = np.vstack([np.eye(n_tasks), np.full((1, n_tasks), 1 / n_tasks)])
    points = qmc.Halton(n_tasks, seed=0).random(N_PREFERENCES - len(fixed))
    # exponential numbers, divided by their sum, are uniform on the simplex
    points = -np.log(np.clip(points, 1e-12, 1 - 1e-12))
    return np.vstack([fixed, points / points.sum(axis=1, keepdims=True)])


def models_of(table, seed, max_iter):
    """Yield name, unfitted estimator and preferences (None for one point) of each method."""
    n_tasks = table.Y.shape[1]
    common = {"random_state": seed, "max_iter": max_iter}
    settings = {**common, "hidden_layer_sizes": (32, 32)}
    types = {"task_types": "classification"} if table.classes else {}
    plain = MultiTaskClassifier if table.classes else MultiTaskRegressor
    trunk = SharedBottom(hidden_layer_sizes=(32, 32))
    P = preferences(n_tasks)
    full = {**settings, **types, "compression": False, "hypernet_width": 100}
    yield "linear", ParetoHypernet(**settings, **types), P
    yield "pareto", ParetoHypernet(solver="pareto", **settings, **types), P
    yield ENSEMBLE, ParetoHypernet(n_members=4, **settings, **types), P
    yield "linear, in chunks", ParetoHypernet(compression=True, **settings, **types), P
    yield "PHN-LS (linear, full size)", ParetoHypernet(**full), P
    yield EPO, ParetoHypernet(solver="epo", n_preferences=1, **full), P
    # what our network writes for the one preference that it is ever given, without a hypernetwork
    # worth the name; each member has its own
    alone = {"compression": False, "hypernet_width": 1, "n_preferences": 1, "n_members": len(P)}
    model = ParetoHypernet(solver="pareto", preferences=P[:, None], **alone, **settings, **types)
    yield PARETO_MTL, model, P
    # a weight of nothing would leave a head as it was drawn
    fixed = FixedWeights(n_tasks * P.clip(0.01))
    model = plain(trunk, n_members=len(P), task_weighting=fixed, early_stopping=True, **common)
    yield "25 networks with fixed weights", model, P
    for name in POINTS:
        yield name, plain(trunk, task_weighting=name, early_stopping=True, **common), None


def outcomes(model, preferences, X, Y, table):
    """Return losses of every task by preference, and scores: accuracies, or minus the loss.

    Returns
    -------
    two ndarrays of shape (P, T)
    """
    losses, scores = [], []
    answers = _answers(model, preferences, X, table.classes)
    for task, answer in zip(Y.columns, answers, strict=True):
        known = Y[task].notna().to_numpy()
        y, answer = Y[task].to_numpy()[known], answer[:, known]
        if table.classes:
            shares = table.Y[task].value_counts(normalize=True).sort_index()
            places = np.searchsorted(shares.index, y)
            right = np.take_along_axis(answer, places[None, :, None], axis=2)[..., 0]
            unit = -(shares * np.log(shares)).sum()
            losses.append(-np.log(right.clip(1e-7)).mean(axis=1) / unit)
            scores.append((answer.argmax(axis=2) == places).mean(axis=1))
        else:
            losses.append(((answer - y) ** 2).mean(axis=1) / table.Y[task].var(ddof=0))
            scores.append(-losses[-1])
    return np.stack(losses, axis=1), np.stack(scores, axis=1)


def _answers(model, preferences, X, classes):
    """Return numbers (P, n) or probabilities (P, n, classes) of every task."""
    if np.ndim(getattr(model, "preferences", None)) == 3:
        found = model.predict_members(X, preference=preferences)
        own = np.arange(len(preferences))
        return [found[task][own, own] for task in model.tasks_]
    if isinstance(model, ParetoHypernet):
        if classes:
            return list(model.predict_proba(X, preference=preferences).values())
        return list(np.moveaxis(np.asarray(model.predict(X, preference=preferences)), 2, 0))
    found = model.predict_members(X)
    return [found[task] for task in model.tasks_]


def run(name, seed, data_home, methods=None, done=()):
    """Yield a line for each method: hypervolume, the best preference for each task, seconds.

    Parameters
    ----------
    name : str
        Of the table.
    seed : int
    data_home : Path
    methods : list of str, optional
        Those to run; by default all.
    done : collection of str
        Those to leave out.

    Yields
    ------
    dict
    """
    table = TABLES[name](seed, data_home)
    n_tasks = table.Y.shape[1]
    reference = np.full(n_tasks, table.reference)
    for method, model, preferences in models_of(table, seed, 5 if QUICK else 300):
        wanted = methods is None or method in methods
        if not wanted or method in done or seed >= DRAWS.get(method, seed + 1):
            continue
        found = []
        for alpha in ALPHAS_OF.get(name, ALPHAS):
            start = time.process_time()
            model = clone(model).set_params(alpha=alpha).fit(table.X, table.Y)
            seconds = time.process_time() - start
            valid = outcomes(model, preferences, table.X_valid, table.Y_valid, table)
            found.append((hypervolume(valid[0], reference), model, valid, seconds))
        _, model, valid, seconds = max(found, key=itemgetter(0))
        test = outcomes(model, preferences, table.X_test, table.Y_test, table)
        # for each task the preference that is best on validation rows
        chosen = test[1][valid[1].argmax(axis=0), np.arange(n_tasks)]
        line = {"table": name, "seed": seed, "method": method, "alpha": model.alpha}
        line["hypervolume"] = hypervolume(test[0], reference)
        line["score"] = chosen.mean()
        if isinstance(model, ParetoHypernet) and method != PARETO_MTL:
            one = np.ones((1, n_tasks))
            even = outcomes(model, one, table.X_test, table.Y_test, table)
            line["score_of_equal_preference"] = even[1].mean()
        yield {**line, "seconds": seconds, "epochs": np.mean(model.n_iter_)}
