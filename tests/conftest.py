"""Fixtures that several folders of tests share."""

import os

import pytest

# Threads of OpenMP that have nothing to do sleep. By default they spin, and where `pytest -n` keeps
# all cores busy, one fit of scikit-learn's boosting then takes a hundred times as long. It must be
# set before scikit-learn and torch are imported, and holds for processes that tests start.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture
def no_window():
    """Let matplotlib draw into memory, and close what was drawn."""
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")
