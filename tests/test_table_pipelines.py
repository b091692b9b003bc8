"""Pipelines and meta-estimators around an estimator that reads tables by itself."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import make_clinic_visits
from skmtl.display import TaskEmbeddingDisplay

CLINICS = make_clinic_visits(n_tasks=6, n_rows=12, random_state=0)
X, Y, METADATA = CLINICS.data, CLINICS.target, CLINICS.metadata


def model(**changes):
    settings = {"task_id": "clinic", "metadata": METADATA, "max_iter": 2, "random_state": 0}
    return MultiTaskHypernetRegressor(**settings | changes)


def encoded(**options):
    """A pipeline that encodes two columns and lets the others pass."""
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["drug"]),
        (StandardScaler(), ["age"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    return make_pipeline(encode.set_output(**options), model())


def test_a_column_transformer_with_names():
    pipeline = encoded(transform="pandas").fit(X, Y)
    assert np.isfinite(pipeline.predict(X)).all()
    assert "drug_drug A" in pipeline[-1].feature_names_in_
    assert pipeline[-1].metadata_names_ == METADATA


def test_a_column_transformer_without_names():
    pipeline = encoded(transform="default")
    pipeline.set_params(multitaskhypernetregressor__task_id=-5)
    pipeline.set_params(multitaskhypernetregressor__metadata=[-4, -3, -2, -1])
    assert np.isfinite(pipeline.fit(X, Y).predict(X)).all()
    assert len(pipeline[-1].tasks_) == 6


def test_bagging_by_position():
    bagging = BaggingRegressor(
        model(task_id=5, metadata=[-4, -3, -2, -1], unseen_tasks="average"), n_estimators=2
    )
    assert np.isfinite(bagging.fit(X, Y).predict(X)).all()


def test_a_display_takes_a_pipeline():
    pytest.importorskip("matplotlib.pyplot").switch_backend("agg")
    display = TaskEmbeddingDisplay.from_estimator(
        encoded(transform="pandas").fit(X, Y), color="region"
    )
    assert set(display.color) <= {"north", "south", "east", "west"}


def test_unseen_categories_are_no_warning():
    fitted = model().fit(X, Y)
    new = pd.concat([X, X.head(3).assign(drug="a new drug", sex="other", region="overseas")])
    new["region"] = new.groupby("clinic")["region"].transform("last")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(fitted.predict(new)).all()


def test_tasks_that_are_all_new_are_one_warning():
    fitted = model().fit(X, Y)
    new, others = (X.assign(clinic=name + X["clinic"]) for name in "ab")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for table in (new, new, others):
            fitted.predict(table)
    assert len(caught) == 2


def test_skrub_without_tasks():
    skrub = pytest.importorskip("skrub")
    pipeline = skrub.tabular_pipeline(model(task_id=None, metadata=None)).fit(X, Y)
    assert np.isfinite(pipeline.predict(X)).all()


def test_skrub_with_tasks():
    skrub = pytest.importorskip("skrub")
    keep = skrub.TableVectorizer(specific_transformers=[("passthrough", ["clinic", *METADATA])])
    pipeline = make_pipeline(keep, model()).fit(X, Y)
    assert np.isfinite(pipeline.predict(X)).all()
    assert len(pipeline[-1].tasks_) == 6
