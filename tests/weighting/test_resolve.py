"""From names, objects, tuples and TorchJD's methods to a method."""

import pytest
import torch

from skmtl import weighting
from skmtl.weighting._base import METHODS
from tests._weighting import assert_close, gradients, gramian_of, losses_for, run


@pytest.mark.parametrize("name", METHODS)
def test_every_name_is_a_method(name):
    method = weighting.get_weighting(name)
    assert isinstance(method, weighting.TaskWeighting)
    assert torch.isfinite(method.weights(losses_for(), gramian_of(gradients()))).all()


def test_an_unknown_name_lists_those_that_are_known():
    with pytest.raises(
        ValueError, match=r"'pcgard' is not known.*equal, fairgrad.*pcgrad.*uncertainty"
    ):
        weighting.get_weighting("pcgard")


def test_an_object_is_itself():
    method = weighting.CAGrad(c=0.2)
    assert weighting.get_weighting(method) is method


def test_a_tuple_is_a_composition():
    method = weighting.get_weighting(("uncertainty", weighting.MGDA("l2")))
    assert isinstance(method, weighting.Composition)
    assert method.gradient_method.normalization == "l2"
    for wrong in (("pcgrad", "uncertainty"), ("dwa", "famo"), ("pcgrad", "mgda")):
        with pytest.raises(ValueError, match="for losses and then one for gradients"):
            weighting.get_weighting(wrong)
    with pytest.raises(ValueError, match="3 items"):
        weighting.get_weighting(("dwa", "famo", "mgda"))


@pytest.mark.parametrize("wrong", [None, 3, torch.nn.Linear(1, 1), weighting.MGDA])
def test_other_things_are_refused(wrong):
    with pytest.raises(TypeError, match="task_weighting must be"):
        weighting.get_weighting(wrong)


def test_a_method_of_torchjd_is_copied_for_every_member():
    aggregation = pytest.importorskip("torchjd.aggregation")
    rival = aggregation.GradVacWeighting(beta=0.5)
    method = weighting.get_weighting(rival)
    assert isinstance(method, weighting.TorchJDWeighting)
    g = gradients(3)
    batches = [(losses_for(3), gramian_of(gradients(3, seed=s)).float()) for s in range(4)]
    together, _ = run(method, batches, [1, 2, 3])
    for m in range(3):
        alone, _ = run(method, [(b[0][[m]], b[1][[m]]) for b in batches], [1 + m])
        assert torch.equal(alone[:, 0], together[:, m])
    assert rival._phi_t is None
    constant = weighting.get_weighting(aggregation.MGDAWeighting())
    scaled = constant.weights(losses_for(3), gramian_of(g).float())
    assert_close(scaled.sum(1), torch.ones(3), rtol=1e-5)


def test_a_composition_is_the_product_of_both():
    g, losses = gradients(2), losses_for(2)
    fixed = weighting.FixedWeights([1.0, 0.5, 2.0, 3.0])
    method = weighting.Composition(fixed, weighting.MGDA())
    v = torch.tensor([1.0, 0.5, 2.0, 3.0]).double()
    scaled = weighting.MGDA().weights(losses, gramian_of(v[:, None] * g))
    assert_close(method.weights(losses, gramian_of(g)), v * scaled)
