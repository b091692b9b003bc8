"""The learners of one column of labels that a base may have: boosting, linear models, any other.

`fit` gets validation rows the first time, which choose settings that later fits keep.
"""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.validation import has_fit_parameter

from skmtl._estimators.trees import Line, Trees

# small and large trees, of which the better is taken, see benchmarks/recipe/LOG.md
_LEAVES = (8, 31)
_BOOSTING = {"learning_rate": 0.1, "min_samples_leaf": 10, "random_state": 0}
_MOST_TREES, _NO_CHANGE = 300, 15
# of a base that may say exactly zero
SMALLEST_LOG = np.log(1e-6)
# the losses of boosting that are closest to ours
_LOSSES = {
    "squared_error": "squared_error",
    "absolute_error": "absolute_error",
    "huber": "absolute_error",
    "poisson": "poisson",
    "pinball": "quantile",
}
_OF_QUANTILES = ("absolute_error", "quantile")
# losses with whose minimum least squares have much to do
LINEAR_LOSSES = ("squared_error", "absolute_error", "huber")
PENALTIES = tuple(10.0 ** np.arange(4, -3, -1))
# of logistic regression
_MOST_ITERATIONS = 200


class Boosting:
    """Gradient boosting; the number of trees and their size are chosen by validation rows."""

    def __init__(self, part):
        # imported when it is needed: it takes long
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        self.numbers = part.classes is None
        if self.numbers:
            loss = _LOSSES[part.loss]
            self.settings = _BOOSTING | {"loss": loss}
            self.link = "log" if loss == "poisson" else "identity"
            if loss == "quantile":
                self.settings["quantile"] = part.quantile
            self.model = HistGradientBoostingRegressor
        else:
            self.settings, self.model = dict(_BOOSTING), HistGradientBoostingClassifier
            self.link = "classes"
        self.chosen = None

    def fit(self, X, y, weights, valid):
        # Weights of one change nothing, but the bins of weighted rows take most of the time. Only
        # medians and quantiles of leaves are other ones: inverted and not averaged.
        if self.settings.get("loss") not in _OF_QUANTILES and np.all(weights == 1):
            weights = None
        if self.link == "log" and not (y if weights is None else y * weights).sum() > 0:
            # scikit-learn has no trees for counts that are all zero
            return Line(None)
        if self.chosen is None and valid is not None and len(np.unique(y)) > 1:
            return self._choose(X, y, weights, valid)
        settings = self.chosen or {"max_leaf_nodes": _LEAVES[0]}
        model = self.model(**self.settings, **settings, early_stopping=False)
        return Trees(model.fit(X, y, sample_weight=weights), self.link)

    def _choose(self, X, y, weights, valid):
        best = None
        for leaves in _LEAVES:
            model = self.model(
                **self.settings,
                max_leaf_nodes=leaves,
                max_iter=_MOST_TREES,
                early_stopping=True,
                n_iter_no_change=_NO_CHANGE,
            )
            known = ... if self.numbers else np.isin(valid[1], y)
            X_val, y_val, weights_val = (values[known] for values in valid)
            model.fit(
                X,
                y,
                sample_weight=weights,
                X_val=X_val,
                y_val=y_val,
                sample_weight_val=weights_val,
            )
            score = model.validation_score_
            n_trees = max(1, int(np.argmax(score)))
            if best is None or score.max() > best[0]:
                best = score.max(), model, {"max_leaf_nodes": leaves, "max_iter": n_trees}
        _, model, self.chosen = best
        # its first trees are those that training with `max_iter` trees would give
        return Trees(model, self.link, self.chosen["max_iter"])


class Linear:
    """Ridge or logistic regression, whose penalty is chosen by validation rows."""

    def __init__(self, part):
        self.numbers = part.classes is None
        self.model = Ridge if self.numbers else LogisticRegression
        self.chosen = None

    def fit(self, X, y, weights, valid):
        if self.chosen is None and valid is not None and len(np.unique(y)) > 1:
            return self._choose(X, y, weights, valid)
        return self._fit(X, y, weights, PENALTIES[0] if self.chosen is None else self.chosen)

    def _fit(self, X, y, weights, penalty):
        if self.numbers:
            return Line(Ridge(penalty).fit(X, y, sample_weight=weights))
        if len(np.unique(y)) < 2:
            return Line(None, y[:1])
        model = LogisticRegression(C=1 / penalty, max_iter=_MOST_ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return Line(model.fit(X, y, sample_weight=weights))

    def _choose(self, X, y, weights, valid):
        best = None
        X_val, y_val, weights_val = valid
        for penalty in PENALTIES:
            line = self._fit(X, y, weights, penalty)
            values = line.predict(X_val)
            if self.numbers:
                losses = (values - y_val) ** 2
            else:
                of_class = np.full((len(X_val), int(max(y.max(), y_val.max())) + 1), SMALLEST_LOG)
                of_class[:, line.classes_.astype(np.int64)] = values
                losses = -of_class[np.arange(len(X_val)), y_val.astype(np.int64)]
            loss = np.average(losses, weights=weights_val)
            if best is None or loss < best[0]:
                best = loss, line, penalty
        _, line, self.chosen = best
        return line


class Cloned:
    """Any estimator of scikit-learn."""

    def __init__(self, base):
        self.base = base

    def fit(self, X, y, weights, valid):
        model = clone(self.base)
        if has_fit_parameter(model, "sample_weight"):
            return model.fit(X, y, sample_weight=weights)
        if np.ptp(weights):
            raise ValueError(
                f"base={type(model).__name__} takes no sample_weight, but rows differ in weight."
            )
        return model.fit(X, y)
