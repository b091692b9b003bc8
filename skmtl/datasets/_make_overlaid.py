"""Images of two overlaid digits, with a task for each digit.

They follow MultiMNIST, with scikit-learn's small digits instead of MNIST.
"""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state, check_scalar

from skmtl.datasets._bunch import build_wide_bunch

_SIDE = 8


def make_overlaid_digits(n_rows=2000, n_test=1000, offset=4, test_images=360, random_state=None):
    """Generate images of two overlaid digits, with a task for each digit.

    One digit of scikit-learn (8 x 8 pixels) is at the top left, another at the bottom right; where
    they overlap, the brighter pixel is used. The two tasks compete for the representation of a
    shared network.

    Parameters
    ----------
    n_rows : int, default=2000
        Number of training rows.
    n_test : int, default=1000
        Number of test rows, made from images that training rows do not contain.
    offset : int, default=4
        Number of pixels, at most 8, by which the second digit is shifted to the right and down; the
        smaller, the larger the overlap.
    test_images : int, default=360
        Number of the 1,797 images that are reserved for test rows.
    random_state : int, RandomState instance or None, default=None
        Determines which images are reserved, and which are overlaid.

    Returns
    -------
    Bunch
        Has these attributes.

        data : DataFrame of shape (n_rows + n_test, (8 + offset) ** 2)
            The pixels `p0000`, `p0001`, ... (row, then column; 0 to 16), test rows last.
        target : DataFrame of shape (n_rows + n_test, 2)
            The digits of the tasks `left` and `right`.
        task_id : None
            Each column of the target is a task.
        metadata : None
            There are no metadata.
        feature_names : list of str
            Names of the pixels.
        test : ndarray of shape (n_rows + n_test,) of bool
            Marks test rows; they share no image with training rows.
        images : ndarray of shape (n_rows + n_test, 2)
            The two images of each row.
        DESCR : str
            A description of the data set.

    See Also
    --------
    make_rotated_digits : Tasks with the same images, in long form.

    Notes
    -----
    The construction follows MultiMNIST in [1]_ and [2]_, with images of 8 x 8 instead of 28 x 28
    pixels. All pairs of images are equally likely.

    References
    ----------
    .. [1] O. Sener and V. Koltun, "Multi-task learning as multi-objective optimization", NeurIPS
       2018, section 5.1.
    .. [2] C. Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020,
       section 5.2.

    Examples
    --------
    >>> from skmtl.datasets import make_overlaid_digits
    >>> digits = make_overlaid_digits(n_rows=100, n_test=50, random_state=0)
    >>> digits.data.shape
    (150, 144)
    >>> digits.target.columns.tolist()
    ['left', 'right']
    """
    squares, digits = load_digits(return_X_y=True)
    squares = squares.reshape(-1, _SIDE, _SIDE)
    for value, name, least, most in [
        (n_rows, "n_rows", 1, None),
        (n_test, "n_test", 0, None),
        (offset, "offset", 0, _SIDE),
        (test_images, "test_images", 1, len(squares) - 1),
    ]:
        check_scalar(value, name, Integral, min_val=least, max_val=most)
    random_state = check_random_state(random_state)
    order = random_state.permutation(len(squares))
    pools = order[test_images:], order[:test_images]
    images = np.concatenate(
        [
            random_state.choice(pool, (count, 2))
            for pool, count in zip(pools, (n_rows, n_test), strict=True)
        ]
    )
    side = _SIDE + offset
    canvas = np.zeros((len(images), side, side))
    canvas[:, :_SIDE, :_SIDE] = squares[images[:, 0]]
    second = canvas[:, offset:, offset:]
    np.maximum(second, squares[images[:, 1]], out=second)
    names = [f"p{i:02d}{j:02d}" for i in range(side) for j in range(side)]
    bunch = build_wide_bunch(
        pd.DataFrame(canvas.reshape(len(images), -1), columns=names),
        pd.DataFrame(digits[images], columns=["left", "right"]),
        source=make_overlaid_digits,
    )
    bunch.test = np.arange(len(images)) >= n_rows
    bunch.images = images
    return bunch
