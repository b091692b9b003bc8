"""Tasks that are alike or not, as their formulas say: directions are found again by regression."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal
from sklearn.datasets import load_digits

from skmtl.datasets import make_related_tasks, make_rotated_digits


def directions(bunch):
    """The direction along which each task reads its rows, if it is linear and without noise."""
    actual = []
    for _, rows in bunch.data.groupby("task"):
        features = rows[bunch.feature_names].to_numpy()
        actual.append(np.linalg.lstsq(features, bunch.target[rows.index], rcond=None)[0])
    return np.array(actual)


def linear(**changes):
    options = {"n_features": 12, "n_sines": 0, "n_rows": 40, "noise": 0.0, "random_state": 3}
    return directions(make_related_tasks(**{**options, **changes}))


@pytest.mark.parametrize("relatedness", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_relatedness_is_the_cosine_of_two_directions(relatedness, scale):
    first, second = linear(n_tasks=2, relatedness=relatedness, scale=scale)
    assert_allclose([first @ first, second @ second], scale**2)
    assert_allclose(first @ second, relatedness * scale**2, atol=1e-12)


def test_all_cosines_of_groups():
    rho = 0.6
    actual = linear(n_tasks=5, relatedness=rho, n_groups=2)
    leader, other = [1, rho, rho], [rho, 1, rho**2]
    expected = np.zeros((5, 5))
    expected[:3, :3] = [leader, other, [rho, rho**2, 1]]
    expected[3:, 3:] = [[1, rho], [rho, 1]]
    assert_allclose(actual @ actual.T, expected, atol=1e-12)


@pytest.mark.parametrize(("n_tasks", "n_groups"), [(4, 2), (5, 2), (3, 5), (6, 1)])
def test_tasks_are_dealt_to_groups_evenly(n_tasks, n_groups):
    groups = make_related_tasks(n_tasks, 1.0, 8, n_groups=n_groups, n_rows=1).task_groups
    counts = np.bincount(groups)
    assert len(counts) == min(n_groups, n_tasks)
    assert counts.max() - counts.min() <= 1
    assert (np.diff(groups) >= 0).all()


def test_target_is_a_sum_of_sines_and_noise():
    options = {"n_tasks": 2, "n_features": 6, "n_rows": 400, "random_state": 7}
    weights = directions(make_related_tasks(**options, n_sines=0, noise=0.0))
    clean = make_related_tasks(**options, n_sines=4, noise=0.0)
    z = np.concatenate(
        [
            rows[clean.feature_names].to_numpy() @ weight
            for weight, (_, rows) in zip(weights, clean.data.groupby("task"), strict=True)
        ]
    )
    by_hand = z + np.sin(z) + np.sin(2 * z + 1) + np.sin(3 * z + 4) + np.sin(4 * z + 9)
    assert_allclose(clean.target, by_hand, atol=1e-10)
    noisy = make_related_tasks(**options, n_sines=4, noise=0.5)
    assert_frame_equal(noisy.data, clean.data)
    error = noisy.target - clean.target
    # four standard errors of a mean, and of a standard deviation, of 800 normal numbers
    assert abs(error.mean()) < 4 * 0.5 / np.sqrt(800)
    assert abs(error.std() - 0.5) < 4 * 0.5 / np.sqrt(1600)


@pytest.mark.parametrize("make", [make_related_tasks, make_rotated_digits])
def test_a_seed_decides_everything(make):
    first, again, other = (make(n_rows=30, random_state=seed) for seed in (0, 0, 1))
    assert_frame_equal(first.data, again.data)
    assert_series_equal(first.target, again.target)
    assert not first.data.equals(other.data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_tasks": 0}, "n_tasks"),
        ({"relatedness": 1.1}, "relatedness"),
        ({"n_sines": -1}, "n_sines"),
        ({"noise": -0.1}, "noise"),
        ({"n_tasks": 5, "n_features": 4}, "raise n_features, or have fewer tasks"),
        ({"n_tasks": 5, "n_features": 4, "relatedness": 1.0, "n_groups": 5}, "5 orthogonal"),
    ],
)
def test_related_tasks_refuse_what_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        make_related_tasks(**changes)


def test_copies_of_the_same_tasks_need_few_features():
    assert linear(n_tasks=6, relatedness=1.0, n_groups=2, n_features=2).shape == (6, 2)


def test_images_are_turned_clockwise():
    angles = (0, 90, 180, 270, 0)
    bunch = make_rotated_digits(angles, n_rows=25, random_state=0)
    images, digits = load_digits(return_X_y=True)
    assert_array_equal(bunch.target, digits[bunch.image])
    for task, (angle, (_, rows)) in enumerate(zip(angles, bunch.data.groupby("task"), strict=True)):
        numbers = bunch.image[rows.index]
        assert (rows["task"] == task).all()
        for image, pixels in zip(images[numbers], rows[bunch.feature_names].values, strict=True):
            upright, turned = image.reshape(8, 8), pixels.reshape(8, 8)
            for i in range(8):
                # the top row, read from the left, is at the right after 90 degrees, from the top
                where = {
                    0: turned[i],
                    90: turned[:, 7 - i],
                    180: turned[7 - i, ::-1],
                    270: turned[::-1, i],
                }
                assert_array_equal(where[angle], upright[i])


def test_all_tasks_have_the_same_images_in_different_orders():
    bunch = make_rotated_digits(n_rows=50, random_state=1)
    of_tasks = bunch.image.reshape(4, 50)
    assert_array_equal(np.sort(of_tasks, axis=1), np.tile(np.sort(of_tasks[0]), (4, 1)))
    assert len({tuple(row) for row in of_tasks.tolist()}) == 4
    assert len(make_rotated_digits(random_state=0).data) == 4 * 1797


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"angles": (0, 45)}, "multiples of 90"),
        ({"angles": ()}, "multiples of 90"),
        ({"n_rows": 0}, "n_rows"),
        ({"n_rows": 1798}, "n_rows"),
    ],
)
def test_rotated_digits_refuse_what_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        make_rotated_digits(**changes)
