"""Training and scoring of groups: estimators of skmtl as members, others in `n_jobs` processes."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.utils.parallel import Parallel, delayed
from tqdm.auto import tqdm

from skmtl._data.columns import is_numeric
from skmtl._data.messages import labels_text
from skmtl._estimators.base import BaseMultiTaskEstimator
from skmtl._estimators.run import train_together
from skmtl._persistence import current
from skmtl._sklearn_compat import _set_random_states
from skmtl.exceptions import UnlabelledRowsWarning
from skmtl.grouping._adapters import adapt
from skmtl.grouping._cache import GroupCache, cache_identity
from skmtl.grouping._data import LongData, WideData
from skmtl.grouping._gain_tables import label_group
from skmtl.grouping._group_models import scores_by_task
from skmtl.model_selection._memory import fits_in_block, members_in_memory
from skmtl.model_selection._pipelines import digest
from skmtl.model_selection._retries import with_retries
from skmtl.training._device import in_own_state

# times that blocks start again whose process was killed
_MOST_RETRIES = 2


class Fit(NamedTuple):
    """One training of a group, on all rows by default; a seed of None keeps the random state.

    `number` counts the trainings of the group: those on one split are next to each other.
    """

    group: np.ndarray
    seed: int | None
    train: np.ndarray | None = None
    valid: np.ndarray | None = None
    number: int = 0


def make_trainer(
    estimator, data, generator, *, cv, n_repeats, task_encoding, cache_dir=None, **settings
):
    """Draw validation rows and seeds, and return a `GroupTrainer` with these settings."""
    splits = data.splits(cv, generator.randint(np.iinfo(np.int32).max))
    seeds = generator.randint(np.iinfo(np.int32).max, size=n_repeats).tolist()
    if n_repeats == 1 and getattr(estimator, "random_state", None) is not None:
        # the estimator keeps its own random state
        seeds = [None]
    estimator = adapt(estimator, data.task_id, task_encoding)
    cache = None
    if cache_dir is not None:
        scoring = settings["scoring"]
        identity = cache_identity(data, estimator, splits, (seeds, n_repeats, scoring))
        cache = GroupCache(cache_dir, identity)
    return GroupTrainer(estimator, data, splits, seeds=seeds, cache=cache, **settings)


@dataclass
class GroupTrainer:
    """Train groups of tasks, and score them on the validation rows of `splits`.

    `seeds` are random states, one for each repeat; `show` shows a progress bar.
    """

    estimator: BaseEstimator
    data: WideData | LongData
    splits: list
    _: KW_ONLY
    seeds: Sequence = (None,)
    scoring: str | Callable | None = None
    n_jobs: int | None = None
    max_members: int | str = "auto"
    cache: GroupCache | None = None
    show: bool = False

    def __post_init__(self):
        self.ours = isinstance(self.estimator, BaseMultiTaskEstimator)
        self._fits, self.n_trained = {}, 0

    def scores(self, groups):
        """Return the mean validation score of every task in groups, NaN outside them."""
        numbers = range(len(self.splits) * len(self.seeds))
        distinct = np.unique(groups, axis=0)
        self._train_missing([(group, number) for group in distinct for number in numbers])
        known = (self._fits[group.tobytes()] for group in groups)
        # in one order, whatever the blocks
        return np.array([np.mean([fits[k] for k in numbers], axis=0) for fits in known])

    def scores_by_split(self, groups):
        """Return scores by split, of shape (n_splits, n_groups, n_tasks)."""
        n_splits = len(self.splits)
        pairs = [(group, split) for split in range(n_splits) for group in groups]
        return self.scores_on(pairs).reshape(n_splits, *groups.shape)

    def scores_on(self, pairs):
        """Return scores (n, T) of pairs of a group and the number of a split."""
        n_seeds = len(self.seeds)
        numbers = [range(k * n_seeds, (k + 1) * n_seeds) for _, k in pairs]
        fits = {
            (group.tobytes(), number): (group, number)
            for (group, _), of_split in zip(pairs, numbers, strict=True)
            for number in of_split
        }
        self._train_missing(list(fits.values()))
        return np.array(
            [
                np.mean([self._fits[group.tobytes()][k] for k in of_split], axis=0)
                for (group, _), of_split in zip(pairs, numbers, strict=True)
            ]
        )

    @property
    def n_groups(self):
        """Number of groups whose scores are known, from training or the cache."""
        return len(self._fits)

    def _train_missing(self, pairs):
        """Train what is unknown of pairs of a group and the number of a fit; store the scores."""
        ways = [(train, valid, seed) for train, valid in self.splits for seed in self.seeds]
        unknown = [(g, k) for g, k in pairs if k not in self._fits.get(g.tobytes(), {})]
        fits = []
        for group, number in unknown:
            train, valid, seed = ways[number]
            fits.append(Fit(group, seed, train, valid, number))
            self._fits.setdefault(group.tobytes(), {})
        stored = {}
        if self.cache is not None:
            distinct = {group.tobytes(): group for group, _ in unknown}
            stored = {key: self.cache.get(group) for key, group in distinct.items()}
        missing = []
        # the blocks that there are without a cache: company may change how scores are rounded
        for block in self._blocks(fits):
            scores = [stored.get(fit.group.tobytes(), {}).get(fit.number) for fit in block]
            if any(of_fit is None for of_fit in scores):
                missing.append(block)
                continue
            for fit, of_fit in zip(block, scores, strict=True):
                self._fits[fit.group.tobytes()][fit.number] = of_fit
        for block, scores, checkpoints in self._run(missing, keep=False):
            new = {}
            for fit, of_fit in zip(block, scores, strict=True):
                self._check(of_fit, fit.group)
                self._fits[fit.group.tobytes()][fit.number] = of_fit
                new.setdefault(fit.group.tobytes(), (fit.group, {}))[1][fit.number] = of_fit
            if self.cache is not None:
                for group, of_group in new.values():
                    self.cache.put(group, of_group)
            if current() is not None:
                current().remove(checkpoints)
        self.n_trained += len({fit.group.tobytes() for block in missing for fit in block})

    def _check(self, scores, group):
        bad = group & ~np.isfinite(scores)
        if bad.any():
            tasks = label_group(bad, self.data.tasks)
            raise ValueError(
                f"the validation score of {list(tasks)} is not finite in the group "
                f"{label_group(group, self.data.tasks)!r}; the tasks may have too few labels for "
                "cv, or scoring does not suit them."
            )

    def models(self, groups):
        """Return estimators trained on all rows of groups."""
        return self.trained([Fit(group, self.seeds[0]) for group in groups])

    def trained(self, fits):
        """Return the estimators of fits."""
        models = {}
        for block, trained, _ in self._run(self._blocks(fits), keep=True):
            models |= {id(fit): model for fit, model in zip(block, trained, strict=True)}
        return [models[id(fit)] for fit in fits]

    def affinity(self):
        """Return the affinities recorded while all tasks train together on the first split."""
        if not self.ours:
            raise ValueError(
                "affinities compare gradients, which only estimators of skmtl record; "
                f"{type(self.estimator.estimator).__name__} has none. Estimate gains by 'hoa', "
                "'mtgnet' or 'exhaustive'."
            )
        estimator = clone(self.estimator)
        estimator.set_params(record_affinity=estimator.record_affinity or True)
        if self.seeds[0] is not None:
            estimator.set_params(random_state=self.seeds[0])
        all_tasks = np.ones(len(self.data.tasks), dtype=bool)
        X, y, weights = self.data.part(all_tasks, self.splits[0][0])
        return estimator.fit(X, y, weights).affinity_

    def _run(self, blocks, keep):
        """Yield blocks of fits, their results, and names of checkpoints that they have used.

        Results are models, or scores on validation rows.
        """
        run = _run_together if self.ours else _run_apart
        settings, n_fits = (self.data, self.scoring, keep), sum(map(len, blocks))
        disable = None if self.show else True
        n_workers, checkpoints = joblib.effective_n_jobs(self.n_jobs), current()
        with tqdm(total=n_fits, desc="TaskGrouper", unit="fit", disable=disable) as bar:
            if n_workers > 1 and len(blocks) > 1:
                parallel = Parallel(n_jobs=self.n_jobs, return_as="generator")
                call = delayed(_run_kept)
                pairs = with_retries(
                    lambda left: parallel(
                        call(checkpoints, run, self.estimator, block, settings, n_workers)
                        for block in left
                    ),
                    blocks,
                    _MOST_RETRIES,
                )
            else:
                pairs = (
                    (block, _run_kept(checkpoints, run, self.estimator, block, settings, 1))
                    for block in blocks
                )
            for block, (values, names) in pairs:
                if checkpoints is not None:
                    checkpoints.names |= names
                yield block, values, names
                bar.update(len(block))

    def _blocks(self, fits):
        """Divide fits into blocks of groups of equal size, as large as train well in parallel."""
        if not self.ours:
            return [[fit] for fit in fits]
        buckets = {}
        for fit in fits:
            buckets.setdefault(int(fit.group.sum()), []).append(fit)
        most = fits_in_block(self.estimator, self.max_members)
        blocks = []
        for bucket in buckets.values():
            # fits of the same rows are adjacent
            bucket.sort(key=lambda fit: fit.number // len(self.seeds))
            cuts = np.linspace(0, len(bucket), -(-len(bucket) // most) + 1).astype(int)
            blocks += [bucket[a:b] for a, b in pairwise(cuts.tolist())]
        return blocks


def _run_kept(checkpoints, run, *arguments):
    """Run a block, perhaps with checkpoints; return its results, and their names."""
    if checkpoints is None:
        return run(*arguments), set()
    before = set(checkpoints.names)
    with checkpoints.active():
        return run(*arguments), checkpoints.names - before


def _run_apart(estimator, fits, settings, n_workers):
    """Train fits one after the other."""
    data, scoring, keep = settings
    results = []
    for fit in fits:
        model = clone(estimator)
        if fit.seed is not None:
            _set_random_states(model, np.random.RandomState(fit.seed))
        X, y, weights = data.part(fit.group, fit.train)
        try:
            model.fit(X, y) if weights is None else model.fit(X, y, sample_weight=weights)
        except (ValueError, TypeError) as error:
            tasks = label_group(fit.group, data.tasks)
            raise ValueError(_why_not_fitted(model, X, y, tasks, error)) from error
        results.append(model if keep else _scores_of(model, fit, data, scoring))
    return results


def _why_not_fitted(model, X, y, tasks, error):
    """Return a message for a fit that failed: the group, and what its table has that may be why."""
    hint = ""
    labels = pd.DataFrame(y)
    single = [name for name in labels if labels[name].nunique() == 1]
    words = [] if not isinstance(X, pd.DataFrame) else [c for c in X if not is_numeric(X[c])]
    ids = np.atleast_1d(getattr(model, "task_id", []))
    words = [name for name in words if name not in ids]
    if single and is_classifier(model):
        wide = labels.shape[1] > 1
        hint = (
            f" {labels_text(single if wide else tasks)} has one class only in the rows of a fit: "
            "leave the task out, or use stratified folds (cv)."
        )
    elif words:
        hint = (
            f" The columns {labels_text(words)} hold no numbers: estimators of skmtl take them as "
            "they are; put others into a Pipeline that encodes them."
        )
    name = type(getattr(model, "estimator", model)).__name__
    error = str(error).rstrip(".")
    return f"{name} cannot be fitted to the group {labels_text(tasks)}: {error}.{hint}"


@in_own_state
def _run_together(estimator, fits, settings, n_workers):
    """Train fits as members of one module, as many at a time as memory holds."""
    data, scoring, keep = settings
    models, buckets = [], {}
    for fit in fits:
        model = for_group(estimator, data.tasks, fit.group)
        if fit.seed is not None:
            model.set_params(random_state=fit.seed)
        X, y, weights = data.part(fit.group, fit.train)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnlabelledRowsWarning)
            plan = model._plan(X, y, weights, whole_y=data.y)
        models.append(model)
        buckets.setdefault(digest(plan.key), []).append(plan)
    for bucket in buckets.values():
        most = max(1, members_in_memory(bucket[0], n_workers) // len(bucket[0].seeds))
        for begin in range(0, len(bucket), most):
            plans, padding_plans = bucket[begin : begin + most], []
            if sum(len(plan.seeds) for plan in plans) == 1 and len(plans[0].tables.tasks) == 1:
                # products of a single network for a single task are rounded differently in a batch
                padding_plans = plans
            train_together(plans, padding_plans)
    if keep:
        return models
    return [_scores_of(model, fit, data, scoring) for model, fit in zip(models, fits, strict=True)]


def for_group(estimator, tasks, group):
    """Return an estimator of skmtl whose settings by column of y are restricted to a group."""
    model = clone(estimator).set_params(verbose=0, warm_start=False, checkpoint_dir=None)
    if isinstance(model.base, str) and model.base == "auto":
        # gains are of networks; every group would fit the same base
        model.base = None
    inside = tasks[np.flatnonzero(group)]
    for name in ("task_types", "class_weight", "loss"):
        value = getattr(model, name, None)
        if model.task_id is None and isinstance(value, dict):
            model.set_params(**{name: {key: v for key, v in value.items() if key in inside}})
    return model


def _scores_of(model, fit, data, scoring):
    X, y, weights = data.part(fit.group, fit.valid)
    scores = scores_by_task(model, X, y, scoring, weights)
    by_task = np.full(len(data.tasks), np.nan)
    by_task[data.tasks.get_indexer(scores.index)] = scores.to_numpy()
    return by_task
