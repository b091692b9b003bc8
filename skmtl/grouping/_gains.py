"""How `TaskGrouper` comes to its gains: candidates, what trains them, and the way to estimate."""

import time

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone

from skmtl._estimators.base import BaseMultiTaskEstimator
from skmtl.grouping._adapters import LongModel, WideModel
from skmtl.grouping._cache import GroupCache
from skmtl.grouping._estimate import default_candidates, run_method
from skmtl.grouping._gain_tables import all_groups, check_gains, gain_table, parse_groups
from skmtl.grouping._procedure import Measurements
from skmtl.grouping._scores import gains_of
from skmtl.grouping._trainer import GroupTrainer
from skmtl.model_selection._pipelines import digest

# of "auto": more groups than these are never all trained
_MOST_EXHAUSTIVE = 4095


class GainsMixin:
    """The estimation of gains."""

    def _candidates(self, data, generator):
        if isinstance(self.gains, pd.DataFrame):
            return None
        if self.candidates is None:
            return default_candidates(len(data.tasks), generator)
        candidates = parse_groups(list(self.candidates), data.tasks)
        missing = data.tasks[~candidates.any(axis=0)].tolist()
        if missing:
            raise ValueError(f"these tasks are in none of the candidates: {missing[:20]}.")
        return np.unique(candidates, axis=0)

    def _trainer(self, data, generator):
        """What trains groups, with everything that its results depend on."""
        estimator = clone(self._estimator())
        ours = isinstance(estimator, BaseMultiTaskEstimator)
        splits = data.splits(self.cv, generator.randint(np.iinfo(np.int32).max))
        few = [np.flatnonzero(data.labelled(rows) == 0) for split in splits for rows in split]
        few = np.unique(np.concatenate(few))
        if len(few):
            raise ValueError(
                f"cv leaves these tasks without any training or validation label: "
                f"{data.tasks[few][:20].tolist()}. Use fewer folds, or drop the tasks."
            )
        seeds = generator.randint(np.iinfo(np.int32).max, size=self.n_repeats).tolist()
        given = getattr(estimator, "random_state", None)
        if self.n_repeats == 1 and given is not None:
            # the caller's own
            seeds = [None]
        if not ours:
            task_id = self._task_id()
            wrapped = WideModel(estimator) if task_id is None else None
            estimator = wrapped or LongModel(estimator, task_id, self.task_encoding)
        cache = None
        if self.cache_dir is not None:
            identity = {
                "data": joblib.hash((data.X, data.y, data.weights)),
                "estimator": _digest((type(self._estimator()), estimator.get_params())),
                "splits": joblib.hash(splits),
                "settings": _digest((seeds, self.n_repeats, self.scoring)),
            }
            cache = GroupCache(self.cache_dir, identity)
        return GroupTrainer(
            estimator,
            data,
            splits,
            seeds=seeds,
            scoring=self.scoring,
            n_jobs=self.n_jobs,
            max_members=self.max_members,
            cache=cache,
            show=bool(self.verbose),
        )

    def _estimate(self, trainer, candidates, generator):
        """Set `gains_` and what belongs to it."""
        tasks = trainer.data.tasks
        self.tasks_, self.mtgnet_ = tasks, None
        method = self.gains
        if isinstance(method, pd.DataFrame):
            self._take_table(method, tasks)
            return
        if isinstance(method, str) and method == "auto":
            method = self._choose_method(trainer, candidates)
        self.gains_method_ = method if isinstance(method, str) else type(method).__name__
        affinity = None
        alone = np.eye(len(tasks), dtype=bool)
        if isinstance(method, str) and method == "tag":
            self.affinity_ = self._affinity(trainer)
            affinity = self.affinity_.loc[tasks, tasks].to_numpy()
        elif not (isinstance(method, str) and method == "random"):
            first = [alone]
            if isinstance(method, str) and method in ("exhaustive", "hoa"):
                # everything that will be needed, in one call
                first.append(candidates if method == "exhaustive" else all_groups(len(tasks), [2]))
            trainer.scores(np.concatenate(first))

        def procedure(groups):
            base = np.diag(trainer.scores(alone))
            return gains_of(trainer.scores(groups), base)

        measurements = Measurements(procedure, len(tasks))
        candidates, gains, net = run_method(
            method,
            measurements,
            candidates,
            generator,
            rounds=self.rounds,
            affinity=affinity,
            metadata=self._facts(tasks),
            limits=[self.max_groups],
        )
        self.mtgnet_ = net
        self.gains_ = gain_table(candidates, gains, tasks)
        self.measured_ = pd.Series(
            measurements.known(candidates), index=self.gains_.index, name="measured"
        )
        self.n_procedures_ = 1 if affinity is not None else trainer.n_groups

    def _take_table(self, table, tasks):
        values, columns = check_gains(table)
        if set(columns) != set(tasks):
            raise ValueError(
                f"the table of gains has the columns {columns[:20].tolist()}, but the tasks are "
                f"{tasks[:20].tolist()}."
            )
        values = values[:, columns.get_indexer(tasks)]
        self.gains_method_, self.n_procedures_ = "given", 0
        self.gains_ = gain_table(~np.isnan(values), values, tasks)
        self.measured_ = pd.Series(False, index=self.gains_.index, name="measured")

    def _choose_method(self, trainer, candidates):
        """All groups if they fit into the time, judged by the tasks alone and all together."""
        n_tasks = candidates.shape[1]
        if len(candidates) > _MOST_EXHAUSTIVE:
            return "mtgnet"
        started = time.perf_counter()
        before = trainer.n_trained
        trainer.scores(np.eye(n_tasks, dtype=bool))
        alone = time.perf_counter()
        trainer.scores(np.ones((1, n_tasks), dtype=bool))
        together = time.perf_counter()
        if trainer.n_trained == before:
            # all from the cache: what was begun is finished
            return "exhaustive"
        each = max((alone - started) / n_tasks, (together - alone) / 2)
        return "exhaustive" if each * len(candidates) <= self.time_budget else "mtgnet"

    def _affinity(self, trainer):
        estimator = clone(trainer.estimator)
        estimator.set_params(record_affinity=estimator.record_affinity or True)
        if trainer.seeds[0] is not None:
            estimator.set_params(random_state=trainer.seeds[0])
        data = trainer.data
        everything = np.ones(len(data.tasks), dtype=bool)
        X, y, weights = data.part(everything, trainer.splits[0][0])
        return estimator.fit(X, y, weights).affinity_

    def _facts(self, tasks):
        """Metadata of the tasks, then of tasks that are not in the data."""
        if self.metadata is None:
            return None
        missing = tasks.difference(self.metadata.index).tolist()
        if missing:
            raise ValueError(f"metadata has no row for these tasks: {missing[:20]}.")
        return self.metadata.loc[tasks].to_numpy(dtype=np.float64)


def _digest(content):
    """A digest, or the printed form of what has none, such as a lambda."""
    found = digest(lambda: joblib.hash(content))
    return found if isinstance(found, str) else repr(content)
