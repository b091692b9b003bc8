"""Random loss weighting: values, and what the method promises."""

import torch

from skmtl import weighting
from tests._weighting import assert_close


def test_random_weights_have_mean_one_and_the_distribution_of_the_paper():
    generators = [torch.Generator().manual_seed(0)]
    method = weighting.RandomLossWeighting()
    draws = torch.cat(
        [method.weights(torch.ones(1, 3), generators=generators) for _ in range(2000)]
    )
    assert_close(draws.sum(1), torch.full((2000,), 3.0), rtol=1e-5)
    expected = 3 * torch.randn(20000, 3, generator=generators[0]).softmax(1)
    assert_close(draws.mean(0), torch.ones(3), rtol=0.06)
    assert_close(draws.std(0), expected.std(0), rtol=0.06)
    absent = torch.tensor([[1.0, torch.nan, 1.0]])
    assert_close(method.weights(absent).sum(), torch.tensor(2.0), rtol=1e-5)
