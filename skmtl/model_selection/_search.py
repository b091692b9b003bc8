"""Searches whose candidates and folds train side by side: as scikit-learn's, but faster.

Which fits train together is decided here; how, in `_fits`.
"""

import time
from itertools import pairwise, product
from numbers import Integral

import joblib
import numpy as np
import torch
from sklearn.base import clone, is_classifier
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
    check_cv,
)
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params, indexable
from tqdm.auto import tqdm

from skmtl.model_selection._fits import (
    Fit,
    Settings,
    check_model,
    last_step,
    run_block,
    structure,
)
from skmtl.model_selection._memory import members_in_block
from skmtl.model_selection._search_docs import document

_MAX_MEMBERS = {"max_members": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})]}


class _BatchedSearch:
    """What both searches do instead of fitting candidates one by one."""

    def fit(self, X, y=None, **params):
        """Train all candidates on all splits, and the best one on all rows.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As the estimator takes it.
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
        self._validate_params()
        check_model(self.estimator)
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        self.n_splits_ = cv.get_n_splits(X, y, **routed.splitter.split)
        settings = Settings(
            scorers,
            routed.estimator.fit,
            routed.scorer.score,
            self.return_train_score,
            self.error_score,
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

    def _fit_best(self, X, y, fit_params):
        best = clone(self.best_params_, safe=False)
        self.best_estimator_ = clone(self.estimator).set_params(**best)
        start = time.time()
        self.best_estimator_.fit(X, y, **fit_params)
        self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    def _evaluate(self, X, y, candidates, splits, settings):
        """Results of all candidates on all splits, in scikit-learn's order."""
        if not candidates:
            raise ValueError("No fits were performed: there are no candidates.")
        fits = [
            Fit(parameters, split, train, test)
            for parameters, (split, (train, test)) in product(candidates, enumerate(splits))
        ]
        keys = [structure(self.estimator, parameters) for parameters in candidates]
        groups = {}
        for number, fit in enumerate(fits):
            groups.setdefault(keys[number // len(splits)], []).append((number, fit))
        parallel, n_workers = self._workers()
        settings.n_workers = n_workers
        blocks = [block for group in groups.values() for block in self._blocks(group, n_workers)]
        out = [None] * len(fits)
        finished = parallel(
            delayed(_numbered)(clone(self.estimator), X, y, block, settings) for block in blocks
        )
        shown = None if self.verbose else True
        with tqdm(total=len(fits), desc=type(self).__name__, unit="fit", disable=shown) as bar:
            for numbers, results in finished:
                for number, result in zip(numbers, results, strict=True):
                    out[number] = result
                bar.update(len(numbers))
        return out

    def _workers(self):
        """Something that calls functions side by side, and how many at a time.

        Without `n_jobs` these are threads of this process, as many as torch would use: its
        operations on many members leave Python to other threads.
        """
        settings = {"return_as": "generator_unordered"}
        n_workers = joblib.effective_n_jobs(self.n_jobs)
        if n_workers > 1:
            return (
                Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch, **settings),
                n_workers,
            )
        n_workers = torch.get_num_threads()
        return Parallel(n_jobs=n_workers, backend="threading", **settings), n_workers

    def _blocks(self, group, n_workers):
        """Deal the fits of a group to blocks that are about equal."""
        model = clone(self.estimator).set_params(**clone(group[0][1].parameters, safe=False))
        estimator = last_step(model)
        most = max(1, members_in_block(estimator, self.max_members) // estimator.n_members)
        n_blocks = -(-len(group) // most)
        if len(group) > n_workers:
            # a multiple of the workers, so that none of them waits for the last block
            n_blocks = -(-n_blocks // n_workers) * n_workers
        # fits of the same split next to each other, for they share their rows
        group = sorted(group, key=lambda item: item[1].split)
        cuts = np.linspace(0, len(group), min(n_blocks, len(group)) + 1).astype(int)
        return [group[a:b] for a, b in pairwise(cuts.tolist())]


@document
class BatchedGridSearchCV(_BatchedSearch, GridSearchCV):
    """Search over a grid of parameters, all candidates and folds training side by side.

    As :class:`sklearn.model_selection.GridSearchCV`, with the same scores, but candidates and folds
    are members of one training run: several times faster for small networks.

    Parameters
    ----------
    estimator : estimator
        One of this package, or a Pipeline that ends in one; the steps before it are fitted once for
        every fold.
    param_grid : dict or list of dict
        Values of parameters. `learning_rate_init`, `alpha`, `weight_averaging`, `embedding_alpha`
        and `random_state` may differ within a run; candidates that differ in others train in
        separate ones.
    {search parameters}

    Attributes
    ----------
    {search attributes}

    See Also
    --------
    BatchedRandomizedSearchCV : Draws candidates instead.
    sklearn.model_selection.GridSearchCV : One fit after the other, for every estimator.

    Notes
    -----
    The scores are those of fits one by one, up to rounding: a member of a run does not notice the
    others. ``random_state=None`` draws other numbers for every fit, here as there.

    Examples
    --------
    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.model_selection import BatchedGridSearchCV
    >>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
    >>> model = MultiTaskHypernetRegressor(
    ...     task_id=cubic.task_id, metadata=cubic.metadata, max_iter=20, random_state=0
    ... )
    >>> search = BatchedGridSearchCV(model, {"learning_rate_init": [1e-3, 1e-2]}, cv=3)
    >>> search.fit(cubic.data, cubic.target).best_params_
    {'learning_rate_init': 0.01}
    """

    _parameter_constraints = {**GridSearchCV._parameter_constraints, **_MAX_MEMBERS}

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        error_score=np.nan,
        return_train_score=False,
        max_members="auto",
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.max_members = max_members

    def _candidates(self):
        return ParameterGrid(self.param_grid)


@document
class BatchedRandomizedSearchCV(_BatchedSearch, RandomizedSearchCV):
    """Search over drawn parameters, all candidates and folds training side by side.

    As :class:`sklearn.model_selection.RandomizedSearchCV`, with the same candidates and scores.

    Parameters
    ----------
    estimator : estimator
        One of this package, or a Pipeline that ends in one; the steps before it are fitted once for
        every fold.
    param_distributions : dict or list of dict
        Lists of values, or distributions with a method ``rvs``. `learning_rate_init`, `alpha`,
        `weight_averaging`, `embedding_alpha` and `random_state` may differ within a run;
        candidates that differ in others train in separate ones.
    n_iter : int, default=10
        Candidates to draw.
    {search parameters}
    random_state : int, RandomState instance or None, default=None
        Decides what is drawn.

    Attributes
    ----------
    {search attributes}

    See Also
    --------
    BatchedGridSearchCV : Tries all values; its notes hold here too.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.model_selection import BatchedRandomizedSearchCV
    >>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
    >>> model = MultiTaskHypernetRegressor(
    ...     task_id=cubic.task_id, metadata=cubic.metadata, max_iter=20, random_state=0
    ... )
    >>> search = BatchedRandomizedSearchCV(
    ...     model, {"alpha": loguniform(1e-5, 1e-1)}, n_iter=4, cv=3, random_state=0
    ... )
    >>> len(search.fit(cubic.data, cubic.target).cv_results_["params"])
    4
    """

    _parameter_constraints = {**RandomizedSearchCV._parameter_constraints, **_MAX_MEMBERS}

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_iter=10,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        error_score=np.nan,
        return_train_score=False,
        max_members="auto",
        random_state=None,
    ):
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
        )
        self.max_members = max_members

    def _candidates(self):
        distributions, generator = self.param_distributions, self.random_state
        return ParameterSampler(distributions, self.n_iter, random_state=generator)


def _numbered(model, X, y, block, settings):
    """Run a block, and say which results are whose."""
    numbers, fits = zip(*block, strict=True)
    return numbers, run_block(model, X, y, fits, settings)
