"""Equal and fixed weights: values, and what the method promises."""

import pytest
import torch

from skmtl import weighting


def test_equal_weights_are_one():
    losses = torch.tensor([[1.0, torch.nan, 3.0]])
    assert weighting.EqualWeights().weights(losses).tolist() == [[1.0, 0.0, 1.0]]


def test_fixed_weights_are_those_given_and_one_beyond():
    losses = torch.ones(2, 3)
    actual = weighting.FixedWeights([2.0, 0.0]).weights(losses)
    assert actual.tolist() == [[2.0, 0.0, 1.0]] * 2
    with pytest.raises(TypeError, match="names of the tasks"):
        weighting.FixedWeights({"a": 1.0}).weights(losses)
