"""Fitted models of groups, and which of them serves each task."""

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import get_tags

from skmtl._data.columns import find_columns
from skmtl._data.task_ids import labels_of
from skmtl._data.wide import labels_frame, wide_table
from skmtl._persistence import saveable
from skmtl._sklearn_compat import _safe_indexing
from skmtl.grouping._gain_tables import gains_of, parse_groups
from skmtl.metrics import (
    _mean_task_score,
    mt_accuracy_scorer,
    neg_mt_log_loss_scorer,
    neg_mt_mse_scorer,
    per_task_score,
)


def scores_by_task(model, X, y, scoring=None, sample_weight=None):
    """Return a Series with the score of each task; greater is better."""
    if scoring is not None:
        return per_task_score(model, X, y, scoring=scoring, sample_weight=sample_weight)
    types = None
    if isinstance(y, pd.DataFrame):
        types = getattr(model, "task_types_", None)
    if types is None:
        scorer = _class_scorer(model) if is_classifier(model) else neg_mt_mse_scorer
        return per_task_score(model, X, y, scoring=scorer, sample_weight=sample_weight)
    kinds = {kind == "regression" for kind in types.values()}
    scorers = [neg_mt_mse_scorer] * (True in kinds) + [_class_scorer(model)] * (False in kinds)
    return pd.concat(
        [per_task_score(model, X, y, scoring=s, sample_weight=sample_weight) for s in scorers]
    )


def _class_scorer(model):
    return neg_mt_log_loss_scorer if hasattr(model, "predict_proba") else mt_accuracy_scorer


def train_groups(trainer, groups, assignment, compare=True):
    """Train selected groups on all rows, and by default the models that a report compares with."""
    data = trainer.data
    selected, n_tasks = parse_groups(groups, data.tasks), len(data.tasks)
    alone, together = np.eye(n_tasks, dtype=bool), np.ones((1, n_tasks), dtype=bool)
    parts = [selected, alone, together] if compare else [selected]
    distinct, rows = np.unique(np.concatenate(parts), axis=0, return_inverse=True)
    models = trainer.models(distinct)
    models = [models[row] for row in rows.reshape(-1)]
    serving = [groups.index(group) for group in assignment]
    trained = group_models(models[: len(groups)], serving, data)
    if compare:
        trained.references = {
            "alone": group_models(models[len(groups) : -1], range(n_tasks), data),
            "together": group_models(models[-1:], [0] * n_tasks, data),
        }
    return trained


def group_models(estimators, serving, data):
    """Return the models of groups in the form of the data that they were trained on."""
    form = WideGroupModels if data.task_id is None else LongGroupModels
    return form(estimators, serving, data)


@saveable
class _GroupModels:
    """Predict each task by the model `serving` it; `references` are "alone", "together"."""

    def __init__(self, estimators, serving, data):
        self.estimators, self.serving, self.tasks = estimators, np.asarray(serving), data.tasks
        self.task_id, self.as_frame, self.references = data.task_id, data.from_frame, {}

    def of_task(self, task):
        """Return the estimator that serves a task."""
        return self.estimators[self.serving[self.tasks.get_loc(task)]]

    @property
    def task_types(self):
        """Types of the tasks by task."""
        return {task: self.of_task(task).task_types_[task] for task in self.tasks}

    def task_scores(self, data, scoring=None):
        """Return the score of every task of test data, NaN without labels."""
        scores = []
        for t, task in enumerate(data.tasks):
            X, y, weights = data.part(np.arange(len(data.tasks)) == t)
            model = self.of_task(task)
            if self.task_id is None:
                model = _OneTask(model, task)
            score = scores_by_task(model, X, y, scoring, weights).iloc[0] if len(X) else np.nan
            scores.append(float(score))
        return scores

    def compare(self, data, scoring=None):
        """Return scores and gain of each task of test data, compared with the references."""
        if not self.references:
            raise ValueError("report compares with models that compare=False has not trained.")
        unseen = data.tasks.difference(self.tasks, sort=False).tolist()
        if unseen:
            raise ValueError(f"these tasks were not seen in fit: {unseen[:20]}.")
        models = {**self.references, "chosen": self}
        scores = {name: serving.task_scores(data, scoring) for name, serving in models.items()}
        table = pd.DataFrame(scores, index=pd.Index(data.tasks, name="task"))
        table["gain"] = gains_of(table["chosen"].to_numpy(), table["alone"].to_numpy())
        return table


class WideGroupModels(_GroupModels):
    """Models of wide form: each predicts a DataFrame with the columns of its group."""

    def _served(self):
        """Yield the estimators that serve any task, with the numbers of their tasks."""
        for k in np.unique(self.serving):
            yield self.estimators[k], np.flatnonzero(self.serving == k)

    def predict(self, table):
        """Predict all tasks, one column for each."""
        columns = [None] * len(self.tasks)
        for model, served in self._served():
            predicted = model.predict(table)
            for t in served:
                columns[t] = predicted[self.tasks[t]].to_numpy()
        index = table.index if isinstance(table, pd.DataFrame) else None
        return wide_table(columns, self.tasks, index, self.as_frame)

    def predict_proba(self, table):
        """Predict probabilities, a dict by task."""
        results = {}
        for model, served in self._served():
            predicted = model.predict_proba(table)
            for task in self.tasks[served].intersection(list(predicted), sort=False):
                ones = np.asarray(predicted[task])
                # multi-label: probabilities of 1
                results[task] = np.column_stack([1 - ones, ones]) if ones.ndim == 1 else ones
        return {task: results[task] for task in self.tasks if task in results}

    @property
    def classes(self):
        """Classes by task."""
        classes = {
            task: getattr(self.of_task(task), "classes_per_task_", {}).get(task)
            for task in self.tasks
        }
        classes = {task: labels for task, labels in classes.items() if labels is not None}
        if not classes:
            raise AttributeError("no task has classes.")
        return classes

    def score(self, y, predicted, sample_weight=None):
        """Return the mean over tasks of the score on the rows with a label."""
        frame = labels_frame(y, self.tasks, self.as_frame)
        try:
            types = list(self.task_types.values())
        except AttributeError:
            kind = "classification" if is_classifier(self.estimators[0]) else "regression"
            types = [kind] * len(self.tasks)
        return _mean_task_score(frame, predicted, types, sample_weight)


class LongGroupModels(_GroupModels):
    """Models of long form: each predicts rows of the tasks of its group."""

    def _served(self, table):
        """Yield estimators with the rows that they predict."""
        labels = labels_of(table, find_columns(table, self.task_id, "task_id"))
        codes = self.tasks.get_indexer(labels)
        if (codes < 0).any():
            unseen = labels[codes < 0].unique()[:10].tolist()
            raise ValueError(f"these tasks were not seen in fit, no group serves them: {unseen}.")
        by_row = self.serving[codes]
        for k in np.unique(by_row):
            yield self.estimators[k], np.flatnonzero(by_row == k)

    def predict(self, table):
        """Predict all rows."""
        order, parts = [], []
        for model, rows in self._served(table):
            order.append(rows)
            parts.append(np.asarray(model.predict(_safe_indexing(table, rows))))
        return np.concatenate(parts)[np.argsort(np.concatenate(order))]

    def predict_proba(self, table):
        """Predict probabilities of all rows, in the order of `classes`."""
        classes = self.classes
        result = np.zeros((len(table), len(classes)))
        for model, rows in self._served(table):
            columns = np.searchsorted(classes, model.classes_)
            result[rows[:, None], columns] = model.predict_proba(_safe_indexing(table, rows))
        return result

    @property
    def classes(self):
        """Sorted classes of all estimators."""
        if not all(hasattr(model, "classes_") for model in self.estimators):
            raise AttributeError("the estimator has no classes.")
        return np.unique(np.concatenate([model.classes_ for model in self.estimators]))

    def score(self, y, predicted, sample_weight=None):
        """Return the score over all rows."""
        score = accuracy_score if is_classifier(self.estimators[0]) else r2_score
        return float(score(y, predicted, sample_weight=sample_weight))


class _OneTask:
    """A model of wide form restricted to one of its tasks."""

    def __init__(self, model, task):
        self._model, self._task = model, task

    def __sklearn_tags__(self):
        return get_tags(self._model)

    def __getattr__(self, name):
        value = getattr(self._model, name)
        if name == "predict_proba":
            return lambda X: {t: p for t, p in value(X).items() if t == self._task}
        if name in ("task_types_", "classes_per_task_"):
            return {task: v for task, v in value.items() if task == self._task}
        return value

    def predict(self, X):
        return self._model.predict(X)[[self._task]]
