"""Wrap one output of a multi-output estimator as an estimator.

scikit-learn's scorers only take estimators with one output.
"""

import numpy as np
import pandas as pd
from sklearn.utils import ClassifierTags, RegressorTags, Tags, TargetTags
from sklearn.utils.metaestimators import available_if

from skmtl._sklearn_compat import _num_samples
from skmtl.metrics._inputs import columns_of, in_order, probabilities_of
from skmtl.metrics._parts import tidy
from skmtl.metrics._probabilities import default_classes


class Predictions:
    """Predictions for a table by task, in the order of `truth`; each method is called once."""

    def __init__(self, estimator, X, truth):
        self.estimator = estimator
        self.truth = truth
        self.raw = estimator.predict(X)
        self.names = truth.names
        if self.names is None:
            named = isinstance(self.raw, pd.DataFrame)
            self.names = self.raw.columns if named else pd.RangeIndex(len(truth.values))
        self._X = X
        self._known = {"predict": self._split("predict", self.raw, len(truth.values[0]))}

    def columns(self, method):
        """Return the predictions for the table, a list of arrays."""
        if method not in self._known:
            self._known[method] = self.columns_for(method, self._X)
        return self._known[method]

    def columns_for(self, method, X):
        """Return the predictions for another table, a list of arrays."""
        return self._split(method, getattr(self.estimator, method)(X), _num_samples(X))

    def _split(self, method, predictions, n_rows):
        truth = self.truth._replace(values=[np.empty(n_rows)] * len(self.truth.values))
        if method != "predict":
            return probabilities_of(predictions, truth)[1]
        columns = in_order(columns_of(predictions, "y_pred"), truth, "y_pred")
        return [tidy(column) for column in columns]


def _classifies(method):
    def check(self):
        return self.classes_ is not None and hasattr(self._predictions.estimator, method)

    return check


class OneColumn:
    """An estimator of one task, where X has the given `rows` of the table of `predictions`."""

    def __init__(self, predictions, column, X, rows):
        self._predictions = predictions
        self._column = column
        self.X = X
        self._rows = rows
        self.classes_ = None  # regression

    def set_classes(self, classes, y_true):
        """Set the classes, or those that occur if None; return the labels in their type."""
        codes, seen = pd.factorize(y_true)
        if classes is None:
            predicted = self.predict(self.X)
            classes = default_classes(pd.unique(np.concatenate([seen, predicted])), 2)
        self.classes_ = np.asarray(classes)
        same = {label: label for label in self.classes_.tolist()}
        if all(label in same for label in seen.tolist()):
            seen = np.array([same[label] for label in seen.tolist()], dtype=self.classes_.dtype)
        return seen[codes]

    def _of(self, method, X):
        if X is self.X:
            return self._predictions.columns(method)[self._column][self._rows]
        # a scoring function may predict for other rows
        return self._predictions.columns_for(method, X)[self._column]

    def predict(self, X):
        """Return the predictions for the task."""
        return self._of("predict", X)

    @available_if(_classifies("predict_proba"))
    def predict_proba(self, X):
        """Return the probabilities of the classes of the task."""
        probabilities = self._of("predict_proba", X)
        if probabilities.ndim == 2 and probabilities.shape[1] == 1 < len(self.classes_):
            probabilities = probabilities[:, 0]
        if probabilities.ndim == 1:
            probabilities = np.column_stack([1 - probabilities, probabilities])
        return probabilities

    @available_if(_classifies("decision_function"))
    def decision_function(self, X):
        """Return the decision values of the task."""
        return self._of("decision_function", X)

    def fit(self, X, y):
        """Do nothing; scorers require a method `fit`."""
        return self

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        if self.classes_ is None:
            kind = {"estimator_type": "regressor", "regressor_tags": RegressorTags()}
        else:
            kind = {"estimator_type": "classifier", "classifier_tags": ClassifierTags()}
        return Tags(target_tags=TargetTags(required=True), **kind)

    def __repr__(self):
        return f"OneColumn({self._predictions.estimator!r}, {self._column})"
