"""Blends of networks and base learners: shares are chosen by rows that neither was trained on."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from threading import Event

import joblib
import numpy as np
from scipy.optimize import minimize, minimize_scalar

from skmtl._data.rows import PredictionRows
from skmtl._estimators.base_learner import BaseRows, FittedBase, base_inputs, part_bases
from skmtl._estimators.choices import alternatives
from skmtl._estimators.predictor import Predictor
from skmtl._estimators.trees import Mixture
from skmtl._persistence import saveable

# share of all bases where no row validates
_NOT_VALIDATED = 0.5
# where the search for the shares of several bases begins; a base with less is not worth its cost
_SHARES, _SMALLEST_SHARE = (0.0, 0.25, 0.5, 0.75, 1.0), 0.01


def _rows_of(plan, rows):
    """Return what a base learner sees of rows, by part of the targets."""
    metadata = plan.tables.scaled_metadata(plan.new_metadata)
    inputs = base_inputs(plan.tables.scale(rows.features), metadata, rows.tasks)
    if not rows.shared_rows:
        sees_task = plan.estimator.base_sees_task and not plan.holds_out_tasks
        tasks = plan.tables.ids_of(rows.tasks) if sees_task else None
        return [BaseRows(inputs, tasks, rows.targets, rows.weights)]
    columns = zip(rows.targets.T, rows.weights.T, strict=True)
    return [BaseRows(inputs, None, y[:, None], weights) for y, weights in columns]


def fit_blend(plan, held_out):
    """Return the `Blend` of a plan, or None without a base.

    `held_out` is what the members predict for their validation rows, see `held_out_predictions`.
    """
    if not plan.bases:
        return None
    key = _key(plan)
    fits = plan.shared.get(key)
    if fits is None:
        fits = BaseFits(*_tables_of(plan, plan.splits))
    elif isinstance(fits, Future):
        fits = fits.result()
    plan.shared[key] = fits
    return fits.blend(held_out)


def _tables_of(plan, splits):
    """Return the arguments of `BaseFits`."""
    pairs = [pair for pair in splits if pair[1] is not None]
    of_splits = [tuple(_rows_of(plan, rows) for rows in pair) for pair in pairs]
    rows = _rows_of(plan, plan.train if plan.refit is None else plan.refit)
    return plan.targets.parts, plan.bases, of_splits, rows


@contextmanager
def bases_alongside(plan):
    """Fit bases of a plan, and of its plan for new tasks, in another thread while networks train.

    The numbers are the same as when bases are fitted later. Bases wait for `fit_blend` where their
    fits are stored, since only the calling thread knows of its checkpoints.
    """
    parallel = plan.estimator.checkpoint_dir is None and joblib.effective_n_jobs(-1) > 1
    plans = [part for part in plan.parts if parallel and _can_be_alongside(part)]
    if not plans:
        yield
        return
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        for part in plans:
            tables = _tables_of(part, alternatives(part)[0].splits)
            part.shared[_key(part)] = pool.submit(BaseFits, *tables, stop)
        try:
            yield
        except BaseException:
            stop.set()
            raise


def _can_be_alongside(plan):
    """Whether the bases of a plan may be fitted in a thread: others may be anything.

    Logistic regression ignores warnings, which would be ignored everywhere.
    """
    classes = any(part.classes is not None for part in plan.targets.parts)
    safe = {"boosting"} if classes else {"boosting", "linear"}
    return len(plan.bases) > 0 and all(isinstance(b, str) and b in safe for b in plan.bases)


def _key(plan):
    """Return a hash of what plans with the same base fits have in common."""
    return plan.holds_out_tasks, joblib.hash((plan.bases, plan.estimator.base_sees_task))


def base_predictions(plan, blend, pairs):
    """Predict held-out rows by bases of a plan's `Blend` that learned from the others.

    `pairs` are `TrainingRows` to learn from and to predict. Returns for each of them a list by part
    of the targets, of predictions for the rows that have a label of the part, or None.
    """
    if blend is None or not blend.weights.any():
        return [[None] * len(plan.targets.parts) for _ in pairs]
    fits = plan.shared[_key(plan)]
    return [fits.predict(*(_rows_of(plan, rows) for rows in pair), blend) for pair in pairs]


def held_out_predictions(plan, module):
    """Return what each member of a module predicts for its validation rows, by part."""
    metadata = plan.tables.scaled_metadata(plan.new_metadata)
    tasks = plan.tables.ids_of(np.arange(plan.tables.n_tasks))
    if plan.holds_out_tasks:
        tasks[:] = -1
    elif plan.new_metadata is not None:
        tasks = np.append(tasks, [-1] * len(plan.new_metadata))
    results = []
    for m, (_, valid) in enumerate(plan.member_splits):
        of_member = Predictor(module.part(slice(m, m + 1)), None)
        query = PredictionRows(plan.tables.scale(valid.features), valid.tasks, tasks, metadata)
        found = [[] for _ in plan.targets.parts]
        for k, rows, values in of_member.predict(query, plan.targets):
            found[k].append((np.arange(len(valid))[rows], values[0]))
        results.append(
            [_in_order(chunks)[rows] for chunks, rows in zip(found, _labelled(valid), strict=True)]
        )
    return results


def _in_order(chunks):
    """Join pairs of row numbers and values, in the order of the rows."""
    rows, values = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    return values[np.argsort(rows)]


def _labelled(rows):
    """Return masks of the rows that have a label, by part of the targets."""
    return rows.weights.T > 0 if rows.shared_rows else [rows.weights > 0]


@saveable
class Blend:
    """Weighs the predictions of networks and of base learners, part by part of the targets.

    `bases` have a `FittedBase` or a `Mixture` for each part, None where there is nothing to learn
    or to gain; `weights` are their shares, between 0 and 1, in the predictions.
    """

    def __init__(self, bases: list[FittedBase | Mixture | None], weights: np.ndarray) -> None:
        self.bases, self.weights = bases, weights

    def predict(self, rows: BaseRows) -> list[np.ndarray | None]:
        """Return what the bases predict, by part; None where they do not count."""
        return [None if base is None else base.predict(rows) for base in self.bases]


class BaseFits:
    """Base learners fitted to the rows of a plan; all candidates of a search share them.

    `splits` are pairs of training and validation `BaseRows` by part, one pair for all members or
    one for each; `rows` are those that the final bases learn from, by part. Fitting ends when
    `stop`, an event, is set.
    """

    def __init__(self, parts, bases, splits, rows, stop=None):
        self.parts, self.rows = parts, rows
        self.learners = [part_bases(part, bases) for part in parts]
        # by part, base and split
        self.held_out = [
            [self._held_out(k, learner, splits, stop) for learner in learners]
            for k, learners in enumerate(self.learners)
        ]
        self._final = {}

    def _held_out(self, k, learner, splits, stop):
        """Return what a base predicts for validation rows of a part, and these rows, by split."""
        results = []
        for m, (train, valid) in enumerate(splits):
            if stop is not None and stop.is_set():
                raise CancelledError
            valid_rows = valid[k].labelled()
            fitted = learner.fit(train[k].labelled(), valid_rows if m == 0 else None)
            results.append((fitted.predict(valid_rows), valid_rows))
        return results

    def predict(self, rows, queried, blend):
        """Predict labelled `BaseRows`, by part, by bases that learn from others as `blend` did."""
        results = []
        for k, base in enumerate(blend.bases):
            of_part, known = queried[k].labelled(), rows[k].labelled()
            if base is None or not len(known.labels):
                results.append(None)
                continue
            fitted = [self._learner(k, b).fit(known) for b in getattr(base, "bases", [base])]
            mixed = Mixture(fitted, base.shares) if len(fitted) > 1 else fitted[0]
            results.append(mixed.predict(of_part))
        return results

    def _learner(self, k, fitted):
        """Return what has learned a base of a part from all rows."""
        return next(self.learners[k][n] for (_, n), b in self._final.items() if b is fitted)

    def blend(self, outputs):
        """Weigh the bases against what the networks predict for validation rows.

        `outputs` are by member and part, for the rows of the part that have a label.
        """
        bases, weights = [], []
        for k, (part, learners) in enumerate(zip(self.parts, self.learners, strict=True)):
            shares = np.zeros(0)
            if learners:
                networks = [by_part[k] for by_part in outputs if by_part is not None]
                held_out = [
                    found * len(networks) if len(found) == 1 else found
                    for found in self.held_out[k]
                ]
                shares = _best_shares(part, networks, held_out)
            used = [self._fitted(k, n) for n in np.flatnonzero(shares)]
            weights.append(float(shares.sum()))
            if len(used) > 1:
                bases.append(Mixture(used, shares[shares > 0] / shares.sum()))
            else:
                bases.append(used[0] if used else None)
        return Blend(bases, np.array(weights))

    def _fitted(self, k, n):
        """Return a base of a part that has learned from all rows."""
        if (k, n) not in self._final:
            self._final[k, n] = self.learners[k][n].fit(self.rows[k].labelled())
        return self._final[k, n]


def _best_shares(part, networks, held_out):
    """Return the shares of bases, whose sum is in [0, 1], with the smallest loss on held-out rows.

    `held_out` are predictions of each base and rows, by member.
    """
    n_bases = len(held_out)
    if not sum(len(rows.labels) for _, rows in held_out[0]):
        return np.full(n_bases, _NOT_VALIDATED / n_bases)
    network = np.concatenate(networks)[None]
    bases = [np.concatenate([values for values, _ in of_base]) for of_base in held_out]
    labels = np.concatenate([rows.labels for _, rows in held_out[0]])
    weights = np.concatenate([rows.weights for _, rows in held_out[0]])

    def loss(shares):
        total = float(np.sum(shares))
        mixed = bases[0]
        if n_bases > 1 and total > 0:
            mixed = sum(share / total * values for share, values in zip(shares, bases, strict=True))
        blended = part.blended(network, mixed, total)
        return float(np.average(part.losses(blended, labels)[0], weights=weights))

    if n_bases == 1:
        inside = minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-3}).x
        return np.array([min((0.0, 1.0, inside), key=loss)])
    grid = [np.array(point) for point in product(_SHARES, repeat=n_bases) if sum(point) <= 1]
    start = min(grid, key=loss)
    inside = {"type": "ineq", "fun": lambda shares: 1 - shares.sum()}
    found = minimize(
        loss, start, method="SLSQP", bounds=[(0, 1)] * n_bases, constraints=[inside], tol=1e-6
    ).x
    # a share of less than a hundredth is not worth a base
    found = np.where(found < _SMALLEST_SHARE, 0.0, found.clip(0, 1))
    found = found / max(1.0, found.sum())
    return min((start, found), key=loss)
