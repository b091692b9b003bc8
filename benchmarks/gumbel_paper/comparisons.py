"""Comparisons of methods over runs."""

import numpy as np
from common.summaries import interval


def paired(table, first, second, column):
    """Return the difference of two methods over runs: its name, mean and interval."""
    values = table.pivot(index="run", columns="method", values=column)
    mean, half = interval(values[first] - values[second])
    return {"difference": f"{first} - {second}", "mean": mean, "half_width_90": half}


def squared_error(model, table):
    """Return the mean squared error of a model on X and y."""
    X, y = table
    return float(np.mean((model.predict(X) - y) ** 2))
