"""Tables with several levels of ids: combinations, new and missing ids, metadata by level."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skmtl import MultiTaskHypernetRegressor
from skmtl._data.level_tables import LevelTables, by_level
from skmtl._data.rows import TrainingRows
from skmtl._data.task_ids import combined

X = pd.DataFrame(
    {
        "store": [2, 1, 2, 1, 3],
        "product": ["b", "a", "b", "b", "a"],
        "price": [0.0, 1.0, 2.0, 3.0, 4.0],
        "size": [20.0, 10.0, 20.0, 10.0, 30.0],
    }
)
IDS = ["store", "product"]


def fitted(table=X, nested=False, missing_id="error", metadata=None):
    tables = LevelTables(IDS, metadata, nested=nested, missing_id=missing_id)
    estimator = MultiTaskHypernetRegressor(
        IDS,
        metadata,
        task_levels="nested" if nested else "crossed",
        missing_id=missing_id,
        unseen_tasks="average",
    )
    features, codes = tables.fit(table, estimator)
    ones = np.ones(len(features))
    tables.fit_rows(TrainingRows(features, codes, ones[:, None], ones, ones.astype(int)))
    return tables, estimator, features, codes


def test_combinations_are_numbered_in_sorted_order():
    codes = np.array([[1, 0], [0, 1], [1, 0], [-1, 1], [0, 1]])
    numbers, first = combined(codes)
    assert numbers.tolist() == [2, 1, 2, 0, 1]
    assert first.tolist() == [3, 1, 0]
    many = np.random.default_rng(0).integers(0, 2**31, (1000, 4))
    numbers, first = combined(many)
    assert len(first) == 1000
    assert_array_equal(many[first], many[np.lexsort(many.T[::-1])])


@pytest.mark.parametrize("rows", [slice(None), slice(None, None, -1)])
def test_ids_and_combinations(rows):
    tables, _, _, codes = fitted(X.iloc[rows])
    assert {name: ids.tolist() for name, ids in tables.tasks.items()} == {
        "store": [1, 2, 3],
        "product": ["a", "b"],
    }
    assert tables.combinations.tolist() == [[0, 0], [0, 1], [1, 1], [2, 0]]
    assert codes.tolist() == [2, 0, 2, 1, 3][rows]
    assert tables.level_sizes == (3, 2)
    assert tables.without_rows().combinations is None
    assert tables.n_tasks == 4


def test_inner_ids_belong_to_their_outer_one():
    tables, estimator, _, _ = fitted(nested=True)
    assert tables.tasks["product"].tolist() == [(1, "a"), (1, "b"), (2, "b"), (3, "a")]
    assert [numbers.tolist() for numbers in tables.parents()] == [[0, 0, 1, 2]]
    new = X.head(2).assign(product=["a", "zzz"])
    query = tables.prediction_rows(new, "average", estimator)
    # product a of store 2 is new, although store 1 has one
    assert query.tasks[query.networks].tolist() == [[1, -1], [0, -1]]


def test_new_and_missing_ids():
    tables, estimator, _, codes = fitted(
        X.assign(product=["b", "a", None, "b", "a"]), missing_id="average"
    )
    assert tables.combinations[codes].tolist()[2] == [1, -1]
    rows = X.head(3).assign(store=[7, 1, np.nan], product=["a", None, "new"])
    query = tables.prediction_rows(rows, "average", estimator)
    assert query.tasks[query.networks].tolist() == [[-1, 0], [0, -1], [-1, -1]]
    with pytest.raises(ValueError, match=r"level 'product' were not seen in fit: \['new'\]"):
        tables.prediction_rows(rows, {"store": "average"}, estimator)


@pytest.mark.parametrize("source", ["columns", "table"])
def test_metadata_of_levels(source):
    table, metadata = X, {"store": ["size"]}
    if source == "table":
        table, metadata = X.drop(columns="size"), {"store": X.groupby("store")[["size"]].first()}
    tables, estimator, features, codes = fitted(table, metadata=metadata)
    assert features.shape == (5, 1)
    assert tables.metadata_names == [("store", "size")]
    # of mean 0 over stores, not over rows
    scaled = tables.scaled_metadata()[codes][:, 0]
    assert scaled[X["store"] == 2].tolist() == [0, 0]
    assert scaled[1] == -scaled[4] != 0
    query = tables.prediction_rows(table, "error", estimator)
    assert_array_equal(query.metadata[query.networks][:, 0], scaled)
    column = tables.metadata_column("store", "size")
    assert column.to_dict() == {1: 10.0, 2: 20.0, 3: 30.0}
    with pytest.raises(ValueError, match="'sise' is not among the metadata.*Did you mean 'size'"):
        tables.metadata_column("store", "sise")


def test_metadata_must_be_constant_within_an_id():
    with pytest.raises(ValueError, match="'size' varies within the task 2"):
        fitted(X.assign(size=np.arange(5.0)), metadata={"store": ["size"]})


def test_metadata_of_rows_without_an_id_are_their_own():
    table = X.assign(store=[2, 1, np.nan, 1, np.nan], product="b")
    tables, _, _, codes = fitted(table, missing_id="average", metadata={"store": ["size"]})
    assert sorted(tables.combinations.tolist()) == [[-1, 0], [-1, 0], [0, 0], [1, 0]]
    assert len(set(codes[[2, 4]])) == 2


def test_inner_metadata_may_be_indexed_by_the_inner_id_or_by_the_path():
    by_label = pd.DataFrame({"weight": [1.0, 2.0]}, index=["a", "b"])
    by_path = X[IDS].drop_duplicates().assign(weight=[2.0, 1.0, 2.0, 1.0])
    for table in (by_label, by_path, by_path.set_index(IDS)):
        tables, _, _, codes = fitted(nested=True, metadata={"product": table})
        scaled = tables.scaled_metadata()[codes][:, 0]
        assert_array_equal(scaled > 0, X["product"] == "b")


def test_values_by_level():
    assert by_level("error", IDS, "unseen_tasks") == ["error", "error"]
    assert by_level({"product": 3}, IDS, "embedding_dim") == [None, 3]
    with pytest.raises(ValueError, match="embedding_dim has a key 'city' that is no level"):
        by_level({"city": 3}, IDS, "embedding_dim")
