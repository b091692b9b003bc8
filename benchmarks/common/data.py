"""Tables that several studies read."""

from pathlib import Path

import numpy as np
import pandas as pd
from common.cli import QUICK

from skmtl.datasets import make_overlaid_digits

DIGITS = ["left", "right"]


def small_digits(seed):
    """Return training and test rows of overlaid small digits, other ones for each seed."""
    bunch = make_overlaid_digits(*((300, 100) if QUICK else (2000, 1000)), random_state=seed)
    X, Y = bunch.data.to_numpy(), bunch.target
    return X[~bunch.test], Y[~bunch.test], X[bunch.test], Y[bunch.test]


def multi_mnist(folder):
    """Return training and test rows of overlaid digits of MNIST, from ``multi_mnist/``."""
    arrays = np.load(Path(folder) / "multi_mnist" / "multi_mnist.npz")
    n_rows = 300 if QUICK else None
    parts = [arrays[name][:n_rows] for name in ("X_train", "Y_train", "X_test", "Y_test")]
    X, Y, X_test, Y_test = (part.astype(float) for part in parts)
    Y, Y_test = (pd.DataFrame(y.astype(int), columns=DIGITS) for y in (Y, Y_test))
    return X, Y, X_test, Y_test
