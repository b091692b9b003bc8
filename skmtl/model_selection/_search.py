"""The fit of batched searches.

This file divides fits into blocks; `_fits` trains them.
"""

import time
from contextlib import ExitStack, suppress
from itertools import pairwise, product
from numbers import Integral

import joblib
import numpy as np
import torch
from joblib.parallel import get_active_backend
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import indexable
from tqdm.auto import tqdm

from skmtl._data.columns import as_table, find_columns
from skmtl._data.task_ids import labels_of
from skmtl._estimators.shared import check_resumable
from skmtl._estimators.unchanged import unchanged_on_failure
from skmtl._persistence import VersionedState, checkpointing, current
from skmtl._sklearn_compat import (
    _check_method_params,
    _insert_error_scores,
    _warn_or_raise_about_fit_failures,
)
from skmtl.model_selection._fits import Fit, Settings, run_block, structure
from skmtl.model_selection._memory import fits_in_block, on_gpu
from skmtl.model_selection._pipelines import check_model, last_step
from skmtl.model_selection._retries import with_retries
from skmtl.model_selection._splitters import TaskKFold
from skmtl.training._interruption import Interrupted, Interruption


class BatchedSearch(VersionedState):
    """Base of both searches: train candidates and folds in blocks."""

    def fit(self, X, y=None, **params):
        """Train all candidates on all splits, and the best one on all rows.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Input of the estimator.
        y : array-like of shape (n,), (n, n_outputs) or (n, n_tasks)
            Labels.
        **params : dict
            Passed to the ``fit`` of the estimator, such as ``sample_weight``, to the splitter, such
            as ``groups``, or to the scorer; arrays as long as X are split like X.

        Returns
        -------
        self
            The fitted search.
        """
        with unchanged_on_failure(self):
            self._validate_params()
            check_model(self.estimator)
            with checkpointing(self._checkpoint_folder(), in_blocks=True):
                return self._fit(X, y, params)

    def _checkpoint_folder(self):
        """Return the folder of the search, or that of its estimator; refuse fits that differ."""
        estimator, folder = last_step(self.estimator), self.checkpoint_dir
        if folder is None:
            folder = estimator.checkpoint_dir
        if folder is not None:
            check_resumable(estimator)
            if getattr(self, "random_state", 0) is None:
                raise ValueError(
                    "checkpoint_dir needs a random_state of the search, too: with None, another "
                    "call draws other candidates."
                )
        return folder

    def _fit(self, X, y, params):
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        cv = self._splitter(X, y)
        self.n_splits_ = cv.get_n_splits(X, y, **routed.splitter.split)
        settings = Settings(
            scorers,
            routed.estimator.fit,
            routed.scorer.score,
            self.return_train_score,
            self.error_score,
            checkpoints=current(),
        )
        splits = list(cv.split(X, y, **routed.splitter.split))
        if len(splits) != self.n_splits_:
            raise ValueError(
                f"cv.split gives {len(splits)} splits, but cv.get_n_splits says {self.n_splits_}."
            )
        candidates = list(self._candidates())
        out = self._evaluate(X, y, candidates, splits, settings)
        _warn_or_raise_about_fit_failures(out, self.error_score)
        if callable(self.scoring):
            _insert_error_scores(out, self.error_score)
        results = self._format_results(candidates, self.n_splits_, out)
        first_score = out[0]["test_scores"]
        self.multimetric_ = isinstance(first_score, dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(first_score)
            refit_metric = self.refit
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(self.refit, refit_metric, results)
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
            self.best_params_ = results["params"][self.best_index_]
        if self.refit:
            self._fit_best(X, y, routed.estimator.fit)
        self.scorer_ = getattr(scorers, "_scorers", scorers) if self.multimetric_ else scorers
        self.cv_results_ = results
        return self

    def _splitter(self, X, y):
        """Return the splitter; a number of folds keeps tasks that cannot be predicted if held out.

        scikit-learn's folds of a table sorted by task would hold out whole tasks, which is an error
        without metadata and without ``unseen_tasks="average"``.
        """
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        estimator = last_step(self.estimator)
        numbered = self.cv is None or isinstance(self.cv, Integral)
        if not numbered or estimator.task_id is None or estimator.metadata is not None:
            return cv
        if estimator.unseen_tasks != "error" or estimator.task_levels != "joint":
            return cv
        table = as_table(X)
        try:
            ids = labels_of(table, find_columns(table, estimator.task_id, "task_id"))
        except (ValueError, TypeError):
            # made by an earlier step of a Pipeline, or an error that the fit explains
            return cv
        if all(ids[test].isin(ids[train]).all() for train, test in cv.split(X, y)):
            return cv
        return TaskKFold(estimator.task_id, cv.get_n_splits())

    def _fit_best(self, X, y, fit_params):
        best = clone(self.best_params_, safe=False)
        self.best_estimator_ = clone(self.estimator).set_params(**best)
        start = time.time()
        self.best_estimator_.fit(X, y, **fit_params)
        self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    def _evaluate(self, X, y, candidates, splits, settings):
        """Return the results of all candidates on all splits, in scikit-learn's order."""
        fits = [
            Fit(parameters, split, train, test)
            for parameters, (split, (train, test)) in product(candidates, enumerate(splits))
        ]
        if not fits:
            raise ValueError("No fits were performed: there are no candidates or no splits.")
        keys = [structure(self.estimator, parameters) for parameters in candidates]
        groups = {}
        for number, fit in enumerate(fits):
            groups.setdefault(keys[number // len(splits)], []).append((number, fit))
        parallel, n_workers, threads = self._workers()
        settings.n_workers = n_workers
        blocks = [block for group in groups.values() for block in self._blocks(group, n_workers)]
        out = [None] * len(fits)
        disable = None if self.verbose else True
        try:
            finished = with_retries(
                lambda left: parallel(
                    delayed(_numbered)(clone(self.estimator), X, y, block, settings, threads)
                    for block in left
                ),
                blocks,
                self.n_retries,
            )
            bar = tqdm(total=len(fits), desc=type(self).__name__, unit="fit", disable=disable)
            with bar:
                for _, (numbers, results, names) in finished:
                    if settings.checkpoints is not None:
                        settings.checkpoints.names |= names
                    for number, result in zip(numbers, results, strict=True):
                        out[number] = result
                    bar.update(len(numbers))
        except BaseException:
            if threads is not None:
                threads.stop()
            raise
        return out

    def _workers(self):
        """Return a Parallel, its number of workers, and what ends them if they are threads.

        Without `n_jobs`, workers are threads of this process, as many as torch would use: its
        operations on many members release the GIL. A GPU gets one thread.
        """
        n_workers = joblib.effective_n_jobs(self.n_jobs)
        if n_workers > 1:
            # Ray and multiprocessing return all results at the end
            supports_generator = get_active_backend()[0].supports_return_generator
            settings = {"pre_dispatch": self.pre_dispatch}
            settings["return_as"] = "generator" if supports_generator else "list"
            # joblib ends processes itself
            return Parallel(n_jobs=self.n_jobs, **settings), n_workers, None
        n_workers = 1 if on_gpu(last_step(self.estimator)) else torch.get_num_threads()
        parallel = Parallel(n_jobs=n_workers, backend="threading", return_as="generator")
        return parallel, n_workers, Interruption()

    def _blocks(self, group, n_workers):
        """Divide the fits of a group into blocks of about equal size."""
        model = clone(self.estimator).set_params(**clone(group[0][1].parameters, safe=False))
        most = fits_in_block(last_step(model), self.max_members)
        n_blocks = -(-len(group) // most)
        if len(group) > n_workers:
            # a multiple of the workers, so that none is idle during the last blocks
            n_blocks = -(-n_blocks // n_workers) * n_workers
        # fits of one split share their rows, so keep them together
        group = sorted(group, key=lambda item: item[1].split)
        cuts = np.linspace(0, len(group), min(n_blocks, len(group)) + 1).astype(int)
        return [group[a:b] for a, b in pairwise(cuts.tolist())]


def _numbered(model, X, y, block, settings, threads=None):
    """Run a block; return the numbers of its fits, their results, and names of checkpoints.

    In a thread, another one may end it through `threads`, an `Interruption`.
    """
    numbers, fits = zip(*block, strict=True)
    checkpoints, results = settings.checkpoints, None
    with ExitStack() as contexts:
        if checkpoints is not None:
            contexts.enter_context(checkpoints.active())
        # if it is interrupted, nobody asks for the results any more
        contexts.enter_context(suppress(Interrupted))
        if threads is not None:
            contexts.enter_context(threads.watched())
        results = run_block(model, X, y, fits, settings)
    return numbers, results, set() if checkpoints is None else set(checkpoints.names)
