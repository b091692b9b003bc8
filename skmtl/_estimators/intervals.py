"""What a fitted estimator knows about the errors of its predictions: of known and new tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skmtl._estimators.base_learner import base_inputs
from skmtl._estimators.difficulty import clearly_better, learn_difficulty
from skmtl._estimators.distributions import TooFewError
from skmtl._estimators.error_scores import KnownClasses, KnownErrors, NewClasses, NewErrors
from skmtl._persistence import saveable


@saveable
class Intervals:
    """Errors of predictions, as scores.

    `known` and `new` are lists, or None without such scores: in long form one for each output of a
    number, or one for classes; in wide form one for all columns of numbers, and one for all columns
    of classes, either of which may be None. `sizes` (T,) are the rows that tasks were trained on.
    """

    def __init__(self, sizes, known=None, new=None):
        self.sizes, self.known, self.new = sizes, known, new

    def add_tasks(self, sizes):
        """Return intervals that know more tasks, of which so many rows were trained on."""
        known = self.known
        if known is not None:
            known = [None if scores is None else scores.add_tasks(sizes) for scores in known]
        return Intervals(np.concatenate([self.sizes, sizes]), known, self.new)

    def learned(self, targets, known, new, inputs):
        """Return intervals with the scores of `HeldOut` predictions by part, where not None.

        Difficulties are learned from the `inputs` (n, d) of the rows.
        """
        result = Intervals(self.sizes, self.known, self.new)
        factors = None
        if known is not None:
            scores = _scores(targets, known, inputs)
            result.known, factors = zip(*(_learn_known(s, self.sizes) for s in scores), strict=True)
            result.known = list(result.known)
        if new is not None:
            scores = _scores(targets, new, inputs)
            factors = factors or [None] * len(scores)
            pairs = zip(scores, result.known or factors, factors, strict=True)
            result.new = [_learn_new(*pair) for pair in pairs]
        return result

    def calibrated(self, targets, known, new, inputs):
        """Return intervals with the scores of rows that `fit` has not seen, difficulties kept."""
        result = Intervals(self.sizes, self.known, self.new)
        if known is not None:
            result.known = [
                None if s is None else s.known(self.sizes, _difficulty(self.known, k))
                for k, s in enumerate(_scores(targets, known, inputs))
            ]
        if new is not None:
            result.new = [
                s.new(_difficulty(self.new, k)) for k, s in enumerate(_scores(targets, new, inputs))
            ]
        return result

    def bounds(self, targets, query, predicted, levels, *, classes=False):
        """Return quantiles of errors in the units of y by part, (n, o, L); None for other parts.

        Of `classes` they are quantiles of scores instead.
        """
        inputs = base_inputs(query.features, query.metadata, query.networks)
        if query.shared_rows:
            return self._wide_bounds(targets, inputs, predicted, levels, classes)
        ((part, values),) = zip(targets.parts, predicted, strict=True)
        tasks = query.tasks[query.networks]
        n_scores = len(self.known or self.new)
        bounds = np.empty((len(tasks), n_scores, len(levels)))
        for scores, rows, who in (
            (self.known, tasks >= 0, "known"),
            (self.new, tasks < 0, "new"),
        ):
            if not rows.any():
                continue
            if scores is None:
                raise ValueError(missing(who))
            for k, of_output in enumerate(scores):
                bound = of_output.quantiles(tasks[rows], levels)
                if not classes:
                    seen = _with_prediction(inputs[rows], values[rows, k] / part.size[k])
                    bound = bound * part.size[k] * _factors(of_output.difficulty, seen)[:, None]
                bounds[rows, k] = bound
        return [bounds]

    def _wide_bounds(self, targets, inputs, predicted, levels, classes):
        """Return bounds of every column of y, by the scores of its kind."""
        chosen = [(part.classes is not None) == classes for part in targets.parts]
        scores = self.known[int(classes)]
        quantiles = iter(scores.quantiles(np.flatnonzero(chosen), levels))
        bounds = []
        for part, values, mine in zip(targets.parts, predicted, chosen, strict=True):
            bound = next(quantiles)[None] if mine else None
            if mine and not classes:
                seen = _with_prediction(inputs, values[:, 0] / part.size[0])
                bound = bound * part.size[0] * _factors(scores.difficulty, seen)[:, None]
            bounds.append(None if bound is None else bound[:, None])
        return bounds


@dataclass
class _Scores:
    """Scores (n,) of one column: errors relative to their unit, or of classes.

    `inputs` (n, d) are what difficulty may depend on, `rows` (n,) numbers in the table.
    """

    classes: bool
    values: np.ndarray
    tasks: np.ndarray
    weights: np.ndarray
    rows: np.ndarray
    inputs: np.ndarray

    def known(self, sizes, difficulty=None, factors=None):
        """Return the scores of known tasks."""
        arguments = self.values, self.tasks, self.weights, sizes
        if self.classes:
            return KnownClasses(*arguments)
        if factors is None:
            factors = _factors(difficulty, self.inputs)
        return KnownErrors(*arguments, factors, difficulty)

    def new(self, difficulty=None, factors=None):
        """Return the scores of new tasks."""
        arguments = self.values, self.tasks, self.weights
        if self.classes:
            return NewClasses(*arguments)
        if factors is None:
            factors = _factors(difficulty, self.inputs)
        return NewErrors(*arguments, factors, difficulty)


def _learn_known(scores, sizes):
    """Return scores of known tasks, and the out-of-sample factors of their rows or None."""
    if scores is None:
        return None, None
    plain = scores.known(sizes)
    if scores.classes:
        return plain, None
    magnitudes = np.abs(scores.values) / plain.scales[scores.tasks]
    difficulty, factors = learn_difficulty(scores.inputs, magnitudes, scores.weights)
    if difficulty is None:
        return plain, None
    return scores.known(sizes, difficulty, factors), dict(zip(scores.rows, factors, strict=True))


def _learn_new(scores, known, factors):
    """Return scores of new tasks, with the difficulty of known ones if it clearly helps."""
    if factors is None:
        return scores.new()
    predicted = _factors(known.difficulty, scores.inputs)
    # those of rows that difficulty was learned from are not of these rows
    pairs = zip(scores.rows, predicted, strict=True)
    held_out = np.array([factors.get(row, other) for row, other in pairs])
    magnitudes = np.abs(scores.values)
    if not clearly_better(magnitudes, held_out, scores.weights, scores.tasks):
        return scores.new()
    return scores.new(known.difficulty, held_out)


def _difficulty(scores, k):
    return None if scores is None else getattr(scores[k], "difficulty", None)


def _factors(difficulty, inputs):
    return np.ones(len(inputs)) if difficulty is None else difficulty.predict(inputs)


def _with_prediction(inputs, predicted):
    return np.column_stack([inputs, predicted])


def _scores(targets, held_out, inputs):
    """Return `_Scores` of `HeldOut` predictions, listed as in `Intervals`."""
    numbers, classes = [], []
    for part, rows in zip(targets.parts, held_out, strict=True):
        seen = inputs[rows.rows]
        if part.classes is None:
            errors, scaled = (rows.labels - rows.predicted) / part.size, rows.predicted / part.size
            of_part = [
                _Scores(False, e, rows.tasks, rows.weights, rows.rows, _with_prediction(seen, s))
                for e, s in zip(errors.T, scaled.T, strict=True)
            ]
            numbers.extend(of_part)
        elif len(rows.labels):
            codes = rows.labels[:, 0].astype(np.int64)
            values = 1 - np.exp(rows.predicted[np.arange(len(codes)), codes])
            classes.append(_Scores(True, values, rows.tasks, rows.weights, rows.rows, seen))
    listed = [_joined(numbers), _joined(classes)] if targets.wide else numbers or classes
    return [None if scores is None else _finite(scores) for scores in listed]


def _joined(scores):
    """Return the scores of several columns together, or None without columns."""
    if not scores:
        return None
    names = ("values", "tasks", "weights", "rows", "inputs")
    return _Scores(
        scores[0].classes,
        *(np.concatenate([getattr(s, name) for s in scores]) for name in names),
    )


def _finite(scores):
    """Return scores that are numbers: a base may say anything."""
    fine = np.isfinite(scores.values)
    if not fine.any():
        raise ValueError(
            "there is no row that was predicted out of sample, so intervals cannot be learned: "
            "some task needs a second row. Or use calibrate(X, y) with rows of your own."
        )
    values = (scores.values, scores.tasks, scores.weights, scores.rows, scores.inputs)
    return _Scores(scores.classes, *(v[fine] for v in values))


def missing(who):
    """Return the message about intervals that a model does not have, for "known" or "new" tasks."""
    if who == "known":
        return (
            "this model has intervals for new tasks only, since it was fitted with "
            "intervals='new': fit it with intervals=True, or call calibrate(X, y) with rows of "
            "known tasks."
        )
    return (
        "this model has intervals for known tasks only, and X has tasks that were never seen. Fit "
        "it with intervals='new' or True and at least 10 tasks, or call calibrate(X, y) with rows "
        "of other tasks that were never seen."
    )


def too_few(error: TooFewError, what: str, new: bool) -> str:
    """Return the message about a level that is out of reach, asked for as `what`."""
    if new:
        return (
            f"{what} needs errors of at least {error.needed} tasks (for rows of tasks that were "
            f"never seen), but there are {error.n_units}: ask for less, or fit more tasks."
        )
    return (
        f"{what} needs errors of at least {error.needed} labels, but there are {error.n_units}: "
        "ask for less, or fit more rows."
    )
