"""Overlaid digits: what is where, and that test digits are not among those trained on."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skmtl.datasets import make_overlaid_digits


@pytest.mark.parametrize("offset", [0, 3, 8])
def test_each_image_is_the_brighter_of_two_digits(offset):
    bunch = make_overlaid_digits(n_rows=30, n_test=10, offset=offset, random_state=1)
    squares, digits = load_digits(return_X_y=True)
    squares = squares.reshape(-1, 8, 8)
    side = 8 + offset
    pixels = bunch.data.to_numpy().reshape(-1, side, side)
    assert bunch.task_id is None
    for row, (left, right) in enumerate(bunch.images):
        for i in range(side):
            for j in range(side):
                both = []
                if i < 8 and j < 8:
                    both.append(squares[left, i, j])
                if i >= offset and j >= offset:
                    both.append(squares[right, i - offset, j - offset])
                assert pixels[row, i, j] == max(both, default=0)
        assert bunch.target.iloc[row].tolist() == [digits[left], digits[right]]


def test_images_of_the_test_are_in_no_other_row():
    bunch = make_overlaid_digits(n_rows=3000, n_test=500, test_images=100, random_state=0)
    assert bunch.test.sum() == 500
    train, test = (set(bunch.images[bunch.test == flag].ravel()) for flag in (False, True))
    assert not train & test
    assert len(test) == 100
    assert len(train) > 1500
    # all digits in both places
    assert (bunch.target.nunique() == 10).all()


def test_the_seed_decides():
    one, same, other = (make_overlaid_digits(20, 5, random_state=seed) for seed in (0, 0, 1))
    assert one.data.equals(same.data)
    assert not one.data.equals(other.data)
    np.testing.assert_array_equal(one.images, same.images)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"offset": 9}, "offset"), ({"n_rows": 0}, "n_rows"), ({"test_images": 1797}, "test_images")],
)
def test_bad_sizes_are_errors(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_overlaid_digits(**wrong)
