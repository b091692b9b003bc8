"""Fixtures that several folders of tests share."""

import pytest


@pytest.fixture
def no_window():
    """Let matplotlib draw into memory, and close what was drawn."""
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")
