"""What tables of groups are usually fitted with, behind one function each.

All see the same columns as numbers: features, metadata of the row's task, and the task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeCV

_ALPHAS = np.logspace(-3, 3, 13)
# above, HistGradientBoosting takes no column as categories
_MOST_CATEGORIES = 255


@dataclass
class Columns:
    """Rows as a rival sees them.

    `features` (n, d) and `metadata` (n, d_m) are encoded numbers, `tasks` (n,) are numbers of the
    `n_tasks` of training, -1 for others.
    """

    features: np.ndarray
    metadata: np.ndarray
    tasks: np.ndarray
    n_tasks: int

    def linear(self, *, task: bool, metadata: bool) -> np.ndarray:
        """Join features with indicators of the task, with metadata, or with both."""
        blocks = [self.features]
        if metadata:
            blocks.append(self.metadata)
        if task:
            blocks.append((self.tasks[:, None] == np.arange(self.n_tasks)).astype(np.float64))
        return np.hstack(blocks)

    def with_category(self) -> pd.DataFrame:
        """Return features and metadata, and the task as a category, missing if it is unknown."""
        frame = pd.DataFrame(np.hstack([self.features, self.metadata])).add_prefix("x")
        if self.n_tasks == 1:
            return frame
        category = pd.Categorical.from_codes(self.tasks, range(self.n_tasks))
        return frame.assign(task=category)


def _predictor(model, classes, inputs_of):
    """Return a function from `Columns` to numbers (n,) or probabilities (n, n_classes)."""
    predict = model.predict if classes is None else model.predict_proba
    return lambda rows: predict(inputs_of(rows))


def _fit_mean(columns, y, classes):
    def count(values):
        if classes is None:
            return values.mean()
        # one more row of every class, so that no probability is zero
        return (np.bincount(values, minlength=classes) + 1) / (len(values) + classes)

    known = {task: count(y[columns.tasks == task]) for task in np.unique(columns.tasks)}
    unknown = count(y)
    return lambda rows: np.array([known.get(task, unknown) for task in rows.tasks.tolist()])


def _fit_linear(columns, y, classes, **blocks):
    if classes is None:
        model = RidgeCV(_ALPHAS)
    elif (n_rare := np.bincount(y).min()) < 2:
        # no folds with every class
        model = LogisticRegression(max_iter=1000)
    else:
        model = LogisticRegressionCV(
            Cs=5,
            cv=min(3, n_rare),
            scoring="neg_log_loss",
            l1_ratios=(0,),
            use_legacy_attributes=False,
            max_iter=1000,
        )
    # features and metadata are standardised already, and indicators must not be
    model.fit(columns.linear(**blocks), y)
    return _predictor(model, classes, lambda rows: rows.linear(**blocks))


def _fit_indicators(columns, y, classes):
    return _fit_linear(columns, y, classes, task=True, metadata=False)


def _fit_metadata(columns, y, classes):
    return _fit_linear(columns, y, classes, task=False, metadata=True)


def _fit_both(columns, y, classes):
    return _fit_linear(columns, y, classes, task=True, metadata=True)


def _fit_boosting(columns, y, classes):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    def frame(rows):
        table = rows.with_category()
        if rows.n_tasks > _MOST_CATEGORIES:
            table["task"] = np.where(rows.tasks < 0, np.nan, rows.tasks)
        return table

    model = HistGradientBoostingRegressor if classes is None else HistGradientBoostingClassifier
    return _predictor(model(random_state=0).fit(frame(columns), y), classes, frame)


def _fit_lightgbm(columns, y, classes):
    import lightgbm

    model = lightgbm.LGBMRegressor if classes is None else lightgbm.LGBMClassifier
    model = model(verbose=-1, n_jobs=1, random_state=0).fit(columns.with_category(), y)
    return _predictor(model, classes, Columns.with_category)


def _fit_catboost(columns, y, classes):
    import catboost

    def frame(rows):
        table = rows.with_category()
        if "task" in table:
            table["task"] = rows.tasks.astype(str)
        return table

    model = catboost.CatBoostRegressor if classes is None else catboost.CatBoostClassifier
    model = model(verbose=False, allow_writing_files=False, thread_count=1, random_seed=0)
    table = frame(columns)
    model.fit(table, y, cat_features=[name for name in ["task"] if name in table])
    return _predictor(model, classes, frame)


def _fit_gpboost(columns, y, classes):
    import gpboost

    def inputs(rows):
        return np.hstack([rows.features, rows.metadata])

    centre, unit = (y.mean(), y.std() or 1.0) if classes is None else (0.0, 1.0)
    likelihood = "gaussian" if classes is None else "bernoulli_logit"
    effects = gpboost.GPModel(group_data=columns.tasks, likelihood=likelihood)
    settings = {"learning_rate": 0.1, "verbose": -1, "num_threads": 1}
    data = gpboost.Dataset(inputs(columns), (y - centre) / unit)
    trees = gpboost.train(settings, data, num_boost_round=100, gp_model=effects)

    def predict(rows):
        found = trees.predict(
            inputs(rows), group_data_pred=rows.tasks, predict_var=False, pred_latent=False
        )["response_mean"]
        return centre + unit * found if classes is None else np.column_stack([1 - found, found])

    return predict


@dataclass(frozen=True)
class Rival:
    """One way to fit a table of groups.

    `fit` takes `Columns`, numbers or classes from 0 (n,) and the number of classes or None, and
    returns a function from `Columns` to predictions. It `needs` a package, tasks or metadata.
    """

    fit: Callable
    package: str | None = None
    needs_tasks: bool = False
    needs_metadata: bool = False
    most_classes: float = np.inf

    def suits(self, columns, classes):
        """Return whether there is what it needs."""
        return (
            (columns.n_tasks > 1 or not self.needs_tasks)
            and (columns.metadata.shape[1] > 0 or not self.needs_metadata)
            and (classes or 0) <= self.most_classes
        )

    def needed(self):
        """Return what it needs, in words."""
        needs = {
            "several tasks": self.needs_tasks,
            "metadata": self.needs_metadata,
            f"{self.most_classes} classes at most": np.isfinite(self.most_classes),
        }
        return " and ".join(name for name, needed in needs.items() if needed)

    @property
    def is_installed(self):
        """Whether its package is."""
        return self.package is None or find_spec(self.package) is not None


RIVALS = {
    "mean of the task": Rival(_fit_mean),
    "linear, task indicators": Rival(_fit_indicators, needs_tasks=True),
    "linear, metadata": Rival(_fit_metadata),
    "linear, both": Rival(_fit_both, needs_tasks=True, needs_metadata=True),
    "HistGradientBoosting": Rival(_fit_boosting),
    "LightGBM": Rival(_fit_lightgbm, "lightgbm"),
    "CatBoost": Rival(_fit_catboost, "catboost"),
    "GPBoost": Rival(_fit_gpboost, "gpboost", needs_tasks=True, most_classes=2),
}
