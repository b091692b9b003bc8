"""Tables that tests of searches share, and a log of what trains."""

import pytest
import torch

from skmtl.model_selection import _fits
from tests._tables import double_precision, make_schools


@pytest.fixture(scope="module")
def schools():
    return make_schools(n_schools=4, n_rows=12)


@pytest.fixture
def in_double():
    with double_precision():
        yield


@pytest.fixture
def groups_trained(monkeypatch):
    """Log how many fits and members trained together, on one thread."""
    sizes = []
    before = torch.get_num_threads()
    torch.set_num_threads(1)

    def train(plans, **settings):
        sizes.append((len(plans), sum(len(plan.seeds) for plan in plans)))
        return trained(plans, **settings)

    trained = _fits.train
    monkeypatch.setattr(_fits, "train", train)
    yield sizes
    torch.set_num_threads(before)
