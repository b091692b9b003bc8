"""What scikit-learn users count on: their tools work, whatever task ids and tables look like.

All tables have string task ids unless a test is about other ones.
"""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.inspection import permutation_importance
from sklearn.metrics import r2_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmtl import MultiTaskHypernetRegressor
from tests._tables import (
    FEATURES,
    LEARNS,
    METADATA,
    assert_same_model,
    make_schools,
    metadata_table,
    quick_model,
)


@pytest.fixture
def schools():
    return make_schools()


# scikit-learn's tools


def test_cross_val_score(schools):
    scores = cross_val_score(quick_model(**LEARNS), *schools, cv=KFold(2), error_score="raise")
    assert (scores > 0.8).all()


def test_cross_val_predict(schools):
    X, y = schools
    predictions = cross_val_predict(quick_model(**LEARNS), X, y, cv=KFold(2))
    assert predictions.shape == y.shape
    assert r2_score(y, predictions) > 0.8


def test_cross_validation_with_tasks_held_out(schools):
    X, y = schools
    scores = cross_val_score(
        quick_model(**LEARNS),
        X,
        y,
        groups=X["school"],
        cv=GroupKFold(3),
        error_score="raise",
    )
    assert (scores > 0.5).all()


def test_grid_search_in_two_processes(schools):
    search = GridSearchCV(
        quick_model(),
        {"embedding_dim": [1, 2], "alpha": [0.0]},
        cv=2,
        n_jobs=2,
        error_score="raise",
    ).fit(*schools)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    here = GridSearchCV(quick_model(), {"embedding_dim": [1, 2], "alpha": [0.0]}, cv=2)
    here.fit(*schools)
    assert_array_equal(search.predict(schools[0]), here.predict(schools[0]))


def test_grid_search_over_metadata(schools):
    X, y = schools
    table = metadata_table(X).assign(constant=0)
    grid = {"metadata": [None, table, table[["size"]]]}
    search = GridSearchCV(quick_model(), grid, cv=2, error_score="raise")
    search.fit(X.drop(columns=METADATA), y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_permutation_importance_of_all_columns(schools):
    X, y = schools
    model = quick_model(embedding_dim=0, **LEARNS).fit(X, y)
    actual = permutation_importance(model, X, y, n_repeats=2, random_state=0)
    importance = dict(zip(X.columns, actual.importances_mean, strict=True))
    assert importance["status"] > 0.05
    assert importance["size"] > 0.3
    # without embeddings the id of a task adds nothing to its metadata
    assert_allclose(importance["school"], 0, atol=1e-12)


def test_permutation_importance_of_the_task_id(schools):
    X, y = schools
    X = X.drop(columns=METADATA)
    model = quick_model(metadata=None, **LEARNS).fit(X, y)
    actual = permutation_importance(model, X, y, n_repeats=2, random_state=0)
    assert actual.importances_mean[list(X.columns).index("school")] > 0.3


def test_permutation_importance_on_arrays(schools):
    X, y = schools
    model = quick_model(task_id=2, metadata=[3, -1]).fit(X.to_numpy(), y)
    actual = permutation_importance(model, X.to_numpy(), y, n_repeats=1, random_state=0)
    assert np.isfinite(actual.importances_mean).all()


def test_pipeline_with_column_transformer_that_returns_arrays(schools):
    X, y = schools
    X = X.assign(colour=np.where(X["age"] > 13, "red", "blue"))
    columns = ColumnTransformer(
        [
            ("scaled", StandardScaler(), FEATURES),
            ("encoded", OneHotEncoder(sparse_output=False), ["colour"]),
            ("metadata", "passthrough", METADATA),
            ("task", "passthrough", ["school"]),
        ]
    )
    pipeline = make_pipeline(columns, quick_model(task_id=-1, metadata=[-3, -2], **LEARNS))
    assert pipeline.fit(X, y).score(X, y) > 0.8
    assert pipeline[-1].tasks_.tolist() == sorted(X["school"].unique())


def test_pipeline_with_column_transformer_that_returns_frames(schools):
    X, y = schools
    X = X.assign(colour=np.where(X["age"] > 13, "red", "blue"))
    columns = ColumnTransformer(
        [
            ("scaled", StandardScaler(), FEATURES),
            ("encoded", OneHotEncoder(sparse_output=False), ["colour"]),
        ],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    pipeline = make_pipeline(columns, quick_model(**LEARNS))
    assert pipeline.fit(X, y).score(X, y) > 0.8
    assert pipeline[-1].tasks_.tolist() == sorted(X["school"].unique())


@pytest.mark.parametrize("form", ["columns", "table", "array", "wide"])
def test_transformers_configured_to_return_frames(schools, form):
    X, y = schools
    parameters, new = {}, X["school"] > "school 09"
    if form == "table":
        X, parameters = X.drop(columns=METADATA), {"metadata": metadata_table(X)}
    elif form == "array":
        X, parameters = X.to_numpy(), {"task_id": 2, "metadata": [3, 4]}
    elif form == "wide":
        metadata = pd.DataFrame({"size": [1.0, 2.0]}, index=["up", "down"])
        X, y = X[FEATURES], pd.DataFrame({"up": y, "down": -y})
        parameters = {"task_id": None, "metadata": metadata}

    def everything():
        model = quick_model(**parameters).fit(X[~new], y[~new], X_val=X[~new], y_val=y[~new])
        results = [model.predict(X[~new])]
        if form != "wide":
            results.append(model.adapt(X[new], y[new]).predict(X[new]))
        results.append(model.metadata_importance(X[~new], y[~new], n_repeats=1, random_state=0))
        return results

    expected = everything()
    with config_context(transform_output="pandas"):
        actual = everything()
    for now, then in zip(actual, expected, strict=True):
        assert type(now) is type(then)
        assert_array_equal(now, then)


def test_clone_has_the_parameters_and_nothing_learned(schools):
    X, y = schools
    model = quick_model(metadata=metadata_table(X)).fit(X[[*FEATURES, "school"]], y)
    copied = clone(model)
    assert not hasattr(copied, "module_")
    pd.testing.assert_frame_equal(copied.metadata, model.metadata)
    assert_same_model(copied.fit(X[[*FEATURES, "school"]], y), model)


def through_a_file(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


@pytest.mark.parametrize(
    "copied",
    [
        lambda model, _: pickle.loads(pickle.dumps(model)),
        lambda model, _: copy.deepcopy(model),
        through_a_file,
    ],
    ids=["pickle", "deepcopy", "joblib"],
)
def test_copies_predict_the_same(schools, tmp_path, copied):
    X, y = schools
    model = quick_model(n_members=2).fit(X, y)
    again = copied(model, tmp_path)
    assert_array_equal(again.predict(X), model.predict(X))
    pd.testing.assert_frame_equal(again.task_embeddings_, model.task_embeddings_)
    pd.testing.assert_frame_equal(again.history_, model.history_)


def test_a_copy_does_not_share_its_weights(schools):
    X, y = schools
    model = quick_model().fit(X, y)
    before = model.predict(X)
    copied = copy.deepcopy(model)
    for parameter in copied.module_.parameters():
        parameter.data.zero_()
    assert_array_equal(model.predict(X), before)


def test_pickles_hold_no_training_rows():
    X, y = make_schools(n_schools=10, n_rows=2_000)
    model = quick_model(max_iter=1, batch_size=1_000).fit(X, y)
    assert len(pickle.dumps(model)) < 50_000  # the features alone take 320,000 bytes


def test_set_params_and_get_params():
    model = MultiTaskHypernetRegressor(task_id="school")
    model.set_params(metadata=["size"], hidden_layer_sizes=(8, 8), n_members=3)
    assert model.get_params()["metadata"] == ["size"]
    assert model.get_params()["hidden_layer_sizes"] == (8, 8)
    assert model.get_params()["n_members"] == 3
    with pytest.raises(ValueError, match="'hidden_layers' for estimator"):
        model.set_params(hidden_layers=(8,))


def test_fit_leaves_parameters_and_table_as_they_are(schools):
    X, y = schools
    table = metadata_table(X)
    model = quick_model(metadata=table)
    before = X.copy(), y.copy(), table.copy()
    model.fit(X, y).predict(X)
    assert model.metadata is table
    for now, then in zip((X, table), before[::2], strict=True):
        pd.testing.assert_frame_equal(now, then)
    pd.testing.assert_series_equal(y, before[1])


def test_repr_shows_what_was_changed(schools):
    table = metadata_table(schools[0])
    assert "embedding_dim=3" in repr(quick_model(metadata=table))
    assert quick_model(metadata=table)._repr_html_()


# tables


def test_columns_may_be_in_another_order_at_predict_time(schools):
    X, y = schools
    model = quick_model().fit(X, y)
    assert_array_equal(model.predict(X[X.columns[::-1]]), model.predict(X))
    assert model.score(X[X.columns[::-1]], y) == model.score(X, y)


def test_frames_and_arrays_mean_the_same(schools):
    X, y = schools
    model = quick_model(task_id=2, metadata=[3, 4]).fit(X.to_numpy(), y.to_numpy())
    named = quick_model().fit(X, y)
    assert_same_model(model, named)
    assert_array_equal(model.predict(X.to_numpy()), named.predict(X))


def test_columns_named_by_numbers_count_as_positions(schools):
    X, y = schools
    numbered = X.set_axis(range(10, 15), axis=1)
    model = quick_model(task_id=2, metadata=[3, 4]).fit(numbered, y)
    assert_array_equal(
        model.predict(numbered[[14, 13, 12, 11, 10]]), quick_model().fit(X, y).predict(X)
    )


@pytest.mark.parametrize("position", [2, -3, np.int64(2)], ids=["first", "last", "numpy"])
def test_task_id_as_a_position(schools, position):
    X, y = schools
    assert_array_equal(
        quick_model(task_id=position).fit(X, y).predict(X), quick_model().fit(X, y).predict(X)
    )


@pytest.mark.parametrize(
    "metadata",
    ["size", ["size"], ("size",), np.array(["size"]), 3, np.int64(3), [np.int64(-2)]],
    ids=["name", "list", "tuple", "array", "position", "numpy", "list of numpy"],
)
def test_one_column_of_metadata(schools, metadata):
    X, y = schools
    X = X.drop(columns="sector").assign(spare=1.0)
    model = quick_model(metadata=metadata).fit(X, y)
    assert_same_model(model, quick_model(metadata=["size"]).fit(X, y))


def test_no_columns_of_metadata_are_none(schools):
    X, y = schools
    assert_same_model(quick_model(metadata=[]).fit(X, y), quick_model(metadata=None).fit(X, y))


def test_one_task_without_task_id(schools):
    X, y = schools
    X = X[[*FEATURES, *METADATA]]
    model = quick_model(task_id=None, metadata=None, **LEARNS).fit(X, y)
    assert model.score(X, y) > 0.5
    assert len(model.tasks_) == 1
    assert model.task_embeddings_.shape == (1, 3)


def test_names_and_counts_of_columns_are_learned(schools):
    X, y = schools
    model = quick_model().fit(X, y)
    assert model.n_features_in_ == 5
    assert_array_equal(model.feature_names_in_, X.columns)
    assert model.device_ in {"cpu", "cuda"}
    assert model.task_embeddings_.index.equals(model.tasks_)
    assert list(model.task_embeddings_.columns) == ["e0", "e1", "e2"]


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "Float64", "Int64", "object"])
def test_features_of_every_numeric_type(schools, dtype):
    X, y = schools
    X = X.assign(age=(X["age"] > 13).astype(float))
    expected = quick_model().fit(X, y).predict(X)
    X = X.assign(age=X["age"].astype(dtype))
    assert_array_equal(quick_model().fit(X, y).predict(X), expected)


def test_predictions_are_float64_in_the_units_of_y(schools):
    X, y = schools
    model = quick_model(**LEARNS).fit(X, 1e6 * y)
    predictions = model.predict(X)
    assert predictions.dtype == np.float64
    assert predictions.shape == (len(X),)
    assert r2_score(1e6 * y, predictions) > 0.8
    assert quick_model().fit(X.astype({"status": "float32"}), y).predict(X).dtype == np.float64


def test_scales_of_features_and_targets_do_not_matter(schools):
    X, y = schools
    scaled = X.assign(age=1024 * X["age"], size=X["size"] / 1024)
    expected = quick_model(**LEARNS).fit(X, y).predict(X)
    # scaling by powers of 2 is exact; features decide the order of the rows, however
    actual = quick_model(**LEARNS).fit(scaled, 512 * y).predict(scaled) / 512
    assert r2_score(y, actual) == pytest.approx(r2_score(y, expected), abs=0.05)


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame, np.ndarray.tolist])
def test_several_outputs(schools, kind):
    X, y = schools
    both = np.column_stack([y, 10 - 2 * y])
    targets = kind(both)
    model = quick_model(**LEARNS).fit(X, targets)
    predictions = model.predict(X)
    assert predictions.shape == (len(X), 2)
    assert predictions.dtype == np.float64
    assert (r2_score(both, predictions, multioutput="raw_values") > 0.8).all()
    assert model.score(X, targets) > 0.8


def test_targets_as_a_column_are_flattened_with_a_warning(schools):
    X, y = schools
    with pytest.warns(UserWarning, match="column-vector"):
        model = quick_model().fit(X, y.to_frame())
    assert_array_equal(model.predict(X), quick_model().fit(X, y).predict(X))


def test_rows_are_matched_by_position_not_by_index(schools):
    X, y = schools
    shuffled = X.set_axis(np.random.default_rng(0).permutation(len(X)))
    assert_array_equal(
        quick_model().fit(shuffled, y).predict(X), quick_model().fit(X, y).predict(X)
    )


# task ids

MONTHS = pd.date_range("2020-01-01", periods=12, freq="MS").to_numpy()


def as_kind(labels, kind):
    """The ids of the schools as ids of another kind that sort in the same order."""
    numbers = labels.str[-2:].astype(int)
    return {
        "string": lambda: labels.astype("string"),
        "object": lambda: labels.astype(object),
        "category": lambda: labels.astype("category"),
        "backward category": lambda: labels.astype(
            pd.CategoricalDtype(["unused", *sorted(labels.unique(), reverse=True)])
        ),
        "integer": lambda: numbers,
        "nullable integer": lambda: numbers.astype("Int64"),
        "small integer": lambda: numbers.astype("int8"),
        "float": lambda: numbers / 8,
        "category of integers": lambda: numbers.astype("category"),
        "date": lambda: pd.Series(MONTHS[numbers]),
        "zoned date": lambda: pd.Series(pd.DatetimeIndex(MONTHS[numbers], tz="Europe/Berlin")),
        "period": lambda: pd.Series(pd.PeriodIndex(MONTHS[numbers], freq="M")),
        "interval": lambda: pd.Series(pd.IntervalIndex.from_arrays(numbers, numbers + 1)),
        "mixed": lambda: pd.Series([n if n < 6 else str(n) for n in numbers], dtype=object),
        "tuple": lambda: pd.Series([("school", n) for n in numbers], dtype=object),
    }[kind]()


@pytest.mark.parametrize(
    "kind",
    [
        "string",
        "object",
        "category",
        "backward category",
        "integer",
        "nullable integer",
        "small integer",
        "float",
        "category of integers",
        "date",
        "zoned date",
        "period",
        "interval",
        "tuple",
    ],
)
def test_ids_of_every_kind(schools, kind):
    X, y = schools
    expected = quick_model().fit(X, y).predict(X)
    X = X.assign(school=as_kind(X["school"], kind))
    model = quick_model().fit(X, y)
    assert len(model.tasks_) == 12
    assert set(X["school"]) == set(model.tasks_)
    assert_array_equal(model.predict(X), expected)
    # a few rows, in which not all categories occur
    assert_allclose(model.predict(X.head(3)), expected[:3], rtol=1e-12)


def test_ids_that_cannot_be_sorted(schools):
    X, y = schools
    X = X.assign(school=as_kind(X["school"], "mixed"))
    model = quick_model(**LEARNS).fit(X, y)
    assert set(model.tasks_) == {0, 1, 2, 3, 4, 5, "6", "7", "8", "9", "10", "11"}
    assert model.score(X, y) > 0.8
    # the order of the rows does not matter for them either
    order = np.random.default_rng(1).permutation(len(X))
    shuffled = quick_model(**LEARNS).fit(X.iloc[order], y.iloc[order])
    assert_array_equal(shuffled.predict(X), model.predict(X))


def test_ids_that_are_true_or_false():
    X, y = make_schools(n_schools=2)
    expected = quick_model(metadata=None).fit(X, y).predict(X)
    X = X.assign(school=X["school"] == "school 01")
    model = quick_model(metadata=None).fit(X, y)
    assert model.tasks_.tolist() == [False, True]
    assert_array_equal(model.predict(X), expected)


def test_ids_that_are_true_or_false_in_an_array():
    X, y = make_schools(n_schools=2)
    expected = quick_model(metadata=None).fit(X, y).predict(X)
    array = X.assign(school=X["school"] == "school 01").to_numpy(dtype=object)
    model = quick_model(task_id=2, metadata=None).fit(array, y)
    assert_array_equal(model.predict(array), expected)


def two_columns(X):
    """The school as the combination of a district and a number."""
    number = X["school"].str[-2:].astype(int)
    district = np.where(number < 6, "north", "south")
    return X.drop(columns="school").assign(district=district, number=number % 6)


def test_two_id_columns(schools):
    X, y = schools
    model = quick_model().fit(X, y)
    apart = two_columns(X)
    joined = quick_model(task_id=["district", "number"]).fit(apart, y)
    # 12 schools, whose numbers are shared by the two districts
    assert len(joined.tasks_) == 12 > apart["number"].nunique()
    assert joined.task_embeddings_.index.names == ["district", "number"]
    assert joined.task_embeddings_.loc[("north", 3)].shape == (3,)
    assert_allclose(joined.score(apart, y), model.score(X, y), atol=0.2)
    assert_array_equal(joined.predict(apart[apart.columns[::-1]]), joined.predict(apart))
    assert joined.tasks_.is_unique


def test_two_id_columns_of_which_one_is_a_category(schools):
    X, y = schools
    apart = two_columns(X)
    expected = quick_model(task_id=["district", "number"]).fit(apart, y).predict(apart)
    apart = apart.assign(district=apart["district"].astype("category"))
    model = quick_model(task_id=["district", "number"]).fit(apart, y)
    assert_array_equal(model.predict(apart), expected)


def test_a_combination_never_seen_is_unseen(schools):
    X, y = schools
    apart = two_columns(X)
    model = quick_model(task_id=["district", "number"], metadata=None).fit(apart, y)
    new = apart.head(1).assign(district="west")
    with pytest.raises(ValueError, match="west"):
        model.predict(new)


def test_tasks_with_one_row(schools):
    X, y = schools
    single, several = X["school"] < "school 04", X["school"] >= "school 04"
    rows = [*X[single].drop_duplicates("school").index, *X[several].index]
    model = quick_model(**LEARNS).fit(X.loc[rows], y.loc[rows])
    assert len(model.tasks_) == 12
    assert np.isfinite(model.predict(X)).all()
    assert model.score(X[several], y[several]) > 0.8


# metadata


def test_metadata_as_a_table_and_as_columns_are_the_same(schools):
    X, y = schools
    table = metadata_table(X)
    features = X.drop(columns=METADATA)
    model = quick_model(metadata=table).fit(features, y)
    columns = quick_model().fit(X, y)
    assert_same_model(model, columns)
    assert_array_equal(model.predict(features), columns.predict(X))


def test_metadata_as_a_table_for_a_task_never_seen(schools):
    X, y = schools
    features, table = X.drop(columns=METADATA), metadata_table(X)
    seen = X["school"] != "school 07"
    model = quick_model(metadata=table).fit(features[seen], y[seen])
    columns = quick_model().fit(X[seen], y[seen])
    assert "school 07" not in model.tasks_
    assert_array_equal(model.predict(features), columns.predict(X))


@pytest.mark.parametrize("names", [["district", "number"], [None, None]])
def test_metadata_as_a_table_for_two_id_columns(schools, names):
    X, y = schools
    apart = two_columns(X)
    ids = ["district", "number"]
    table = metadata_table(apart, ids).rename_axis(names)
    features = apart.drop(columns=METADATA)
    seen = (apart["district"] != "north") | (apart["number"] != 1)
    model = quick_model(task_id=ids, metadata=table).fit(features[seen], y[seen])
    columns = quick_model(task_id=ids).fit(apart[seen], y[seen])
    assert_same_model(model, columns)
    assert_array_equal(model.predict(features), columns.predict(apart))


@pytest.mark.parametrize("kind", ["category", "string", "object"])
def test_metadata_as_a_table_whose_index_is_of_another_type(schools, kind):
    X, y = schools
    table = metadata_table(X)
    rows = X[[*FEATURES, "school"]]
    expected = quick_model(metadata=table).fit(rows, y).predict(rows)
    rows = rows.astype({"school": kind})
    assert_array_equal(quick_model(metadata=table).fit(rows, y).predict(rows), expected)


def test_metadata_may_vary_within_a_task_at_predict_time(schools):
    X, y = schools
    model = quick_model().fit(X, y)
    rows = pd.concat([X.head(1)] * 3, ignore_index=True).assign(size=[2.0, 5.0, 8.0])
    together = model.predict(rows)
    assert len(set(together)) == 3
    assert_array_equal(together, [model.predict(rows.iloc[[row]])[0] for row in range(3)])


def test_predictions_do_not_depend_on_other_rows(schools):
    X, y = schools
    model = quick_model(n_members=2).fit(X, y)
    alone = [model.predict(X.iloc[[row]])[0] for row in range(10)]
    assert_allclose(model.predict(X)[:10], alone, rtol=1e-12)


def test_unseen_tasks_on_average_have_the_mean_embedding(schools):
    X, y = schools
    X = X.drop(columns=METADATA)
    model = quick_model(metadata=None, unseen_tasks="average", **LEARNS).fit(X, y)
    unseen = model.predict(X.assign(school="new"))
    # the same network, had it been learned
    edited = copy.deepcopy(model)
    embeddings = edited.module_.double().embeddings
    embeddings.data[:, 4] = embeddings.data.mean(dim=1)
    assert_allclose(edited.predict(X.assign(school="school 04")), unseen, rtol=1e-6)
    assert np.ptp(model.task_embeddings_.to_numpy(), axis=0).max() > 0.01


def test_unseen_tasks_together_with_known_ones(schools):
    X, y = schools
    X = X.drop(columns=METADATA)
    model = quick_model(metadata=None, unseen_tasks="average").fit(X, y)
    half_new = X.assign(school=X["school"].where(X.index % 2 == 0, "new"))
    expected = np.where(X.index % 2 == 0, model.predict(X), model.predict(X.assign(school="new")))
    assert_allclose(model.predict(half_new), expected, rtol=1e-12)


@pytest.fixture
def every_warning():
    """Warnings are errors, and torch gives them every time instead of once a process."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    torch.set_warn_always(before)


@pytest.mark.parametrize("form", ["frame", "array", "table"])
@pytest.mark.usefixtures("every_warning")
def test_good_input_gets_no_warning(schools, form):
    X, y = schools
    metadata = METADATA
    if form == "array":
        X = X.to_numpy()
    elif form == "table":
        X, metadata = X.drop(columns=METADATA), metadata_table(X)
    parameters = {"task_id": 2, "metadata": [3, 4]} if form == "array" else {"metadata": metadata}
    old = make_schools()[0]["school"] < "school 09"
    model = quick_model(**parameters).fit(X[old], y[old], sample_weight=np.ones(old.sum()))
    model.adapt(X[~old], y[~old])
    model.metadata_importance(X, y, n_repeats=1, random_state=0)
    # metadata that vary within a task, new tasks and old ones
    permutation_importance(model, X, y, n_repeats=1, random_state=0)
    assert np.isfinite(pickle.loads(pickle.dumps(model)).predict(X)).all()


# weights of rows, order of rows, seeds


SETTINGS = {
    "few epochs": {},
    "early stopping": {"max_iter": 60, "learning_rate_init": 0.05, "n_iter_no_change": 3},
    "no early stopping": {"early_stopping": False},
    "members": {"n_members": 2},
    "no averaging": {"weight_averaging": 0.0},
}


@pytest.fixture(params=SETTINGS)
def settings(request):
    return SETTINGS[request.param]


def test_a_weight_of_two_is_the_row_twice(schools, settings):
    X, y = schools
    weights = np.random.default_rng(0).integers(1, 4, len(X))
    rows = np.repeat(np.arange(len(X)), weights)
    weighted = quick_model(**settings).fit(X, y, sample_weight=weights)
    repeated = quick_model(**settings).fit(X.iloc[rows], y.iloc[rows])
    assert_same_model(weighted, repeated)
    assert_array_equal(weighted.predict(X), repeated.predict(X))
    if settings.get("max_iter"):
        assert weighted.n_iter_ < settings["max_iter"]


def test_a_weight_of_zero_is_no_row(schools, settings):
    X, y = schools
    weights = np.random.default_rng(0).integers(0, 2, len(X))
    # one school whole, so that it is no task at all
    weights[X["school"] == "school 02"] = 0
    rows = weights > 0
    weighted = quick_model(**settings).fit(X, y, sample_weight=weights)
    dropped = quick_model(**settings).fit(X[rows], y[rows])
    assert "school 02" not in weighted.tasks_
    assert_same_model(weighted, dropped)
    assert_array_equal(weighted.predict(X), dropped.predict(X))


def test_rows_of_weight_zero_are_not_looked_at(schools):
    X, y = schools
    weights = np.ones(len(X))
    weights[3] = 0
    expected = quick_model().fit(X, y, sample_weight=weights)
    broken = X.assign(status=X["status"].where(X.index != 3))
    assert_same_model(quick_model().fit(broken, y, sample_weight=weights), expected)


def test_weights_matter_and_their_unit_does_not(schools):
    X, y = schools
    # whole ones would be counts, whose unit matters
    weights = np.where(X["sector"] == 1, 4.4, 1.1)
    model = quick_model().fit(X, y, sample_weight=weights)
    scaled = quick_model().fit(X, y, sample_weight=4 * weights)
    assert_allclose(scaled.predict(X), model.predict(X), rtol=1e-5)
    assert not np.allclose(quick_model().fit(X, y).predict(X), model.predict(X), rtol=1e-3)


def test_score_with_weights(schools):
    X, y = schools
    model = quick_model().fit(X, y)
    weights = np.where(X["sector"] == 1, 4.0, 1.0)
    expected = r2_score(y, model.predict(X), sample_weight=weights)
    assert model.score(X, y, sample_weight=weights) == expected != model.score(X, y)


def test_the_order_of_the_rows_does_not_matter(schools, settings):
    X, y = schools
    order = np.random.default_rng(1).permutation(len(X))
    model = quick_model(**settings).fit(X, y)
    shuffled = quick_model(**settings).fit(X.iloc[order], y.iloc[order])
    assert shuffled.tasks_.equals(model.tasks_)
    assert_same_model(shuffled, model)


def test_the_order_of_repeated_rows_of_different_weight_does_not_matter(schools):
    X, y = schools
    X, y = X.iloc[:100], y.iloc[:100]
    rows = np.tile(np.arange(100), 3)
    weights = np.random.default_rng(0).uniform(0.1, 2, len(rows))
    model = quick_model().fit(X.iloc[rows], y.iloc[rows], sample_weight=weights)
    order = np.random.default_rng(1).permutation(len(rows))
    rows, weights = rows[order], weights[order]
    shuffled = quick_model().fit(X.iloc[rows], y.iloc[rows], sample_weight=weights)
    assert_same_model(shuffled, model)


def test_the_same_fit_twice_is_bitwise_identical(schools, settings):
    X, y = schools
    first, second = (quick_model(**settings).fit(X, y) for _ in range(2))
    assert_same_model(first, second)
    pd.testing.assert_frame_equal(first.history_, second.history_, check_exact=True)


def test_the_same_fit_after_another_one_is_bitwise_identical(schools):
    X, y = schools
    model = quick_model().fit(X, y)
    again = quick_model(n_members=2).fit(X[::2], y[::2]).set_params(n_members=1).fit(X, y)
    assert_same_model(again, model)


def test_other_seeds_give_other_models(schools):
    X, y = schools
    first, second = (quick_model(random_state=seed).fit(X, y) for seed in (0, 1))
    assert not np.allclose(first.predict(X), second.predict(X))


def test_a_generator_as_random_state_moves_on(schools):
    X, y = schools
    generator = np.random.RandomState(0)
    model = quick_model(random_state=generator)
    first = model.fit(X, y).predict(X)
    assert_array_equal(first, quick_model(random_state=0).fit(X, y).predict(X))
    assert not np.allclose(model.fit(X, y).predict(X), first)


def test_the_global_generators_are_left_alone(schools):
    X, y = schools
    global_state = np.random.mtrand._rand.get_state
    state, torch_state = global_state()[1].copy(), torch.get_rng_state()
    quick_model(random_state=0).fit(X, y).predict(X)
    assert_array_equal(global_state()[1], state)
    assert_array_equal(torch.get_rng_state().numpy(), torch_state.numpy())
