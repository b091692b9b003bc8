"""Losses against SciPy and scikit-learn, in double precision and one label at a time.

Tensors are (members, blocks, rows, outputs), as in the loop.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats
from sklearn.metrics import log_loss, mean_pinball_loss, mean_poisson_deviance

from skmtl.training import BinaryLoss, ClassLoss, JointLoss, NumberLoss
from skmtl.training._losses import HUBER_THRESHOLD

NUMBER_LOSSES = ["squared_error", "absolute_error", "huber", "poisson", "pinball"]
SHAPE = (2, 3, 4)


def draw(*shape, seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).normal(size=shape)


def of_numbers(name, quantile=0.5):
    """The loss of one number, without torch."""
    return {
        "squared_error": lambda o, y: (o - y) ** 2,
        "absolute_error": lambda o, y: abs(o - y),
        "huber": lambda o, y: special.huber(HUBER_THRESHOLD, o - y),
        # the likelihood of a count, but for what does not depend on the output
        "poisson": lambda o, y: -stats.poisson.logpmf(y, np.exp(o)) - special.gammaln(y + 1),
        "pinball": lambda o, y: mean_pinball_loss([y], [o], alpha=quantile),
    }[name]


def labels_for(name, *shape, seed=1):
    if name == "poisson":
        return np.random.default_rng(seed).poisson(2, size=shape).astype(float)
    return draw(*shape, seed=seed, scale=2.0)


# numbers


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("name", NUMBER_LOSSES)
@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_numbers(name, n_outputs, quantile):
    outputs, labels = draw(*SHAPE, n_outputs), labels_for(name, *SHAPE, n_outputs)
    actual = NumberLoss(name, quantile)(torch.tensor(outputs), torch.tensor(labels))
    one = np.vectorize(of_numbers(name, quantile))
    assert actual.shape == SHAPE
    assert_allclose(actual, one(outputs, labels).mean(-1), rtol=1e-12, atol=1e-12)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(-1e3, 1e3),
    st.floats(-1e3, 1e3),
    st.floats(0.01, 0.99),
)
def test_pinball_of_any_numbers(output, label, quantile):
    loss = NumberLoss("pinball", quantile)
    actual = loss(torch.tensor([[[[output]]]]).double(), torch.tensor([[[[label]]]]).double())
    # torch makes single precision of floats in a list
    output, label = float(np.float32(output)), float(np.float32(label))
    expected = mean_pinball_loss([label], [output], alpha=quantile)
    assert_allclose(actual.item(), expected, rtol=1e-9, atol=1e-9)


def test_half_of_the_absolute_error_is_the_pinball_loss_of_the_median():
    outputs, labels = (torch.tensor(draw(*SHAPE, 1, seed=seed)) for seed in (0, 1))
    torch.testing.assert_close(
        2 * NumberLoss("pinball", 0.5)(outputs, labels),
        NumberLoss("absolute_error")(outputs, labels),
    )


def test_poisson_is_half_the_deviance_but_for_what_labels_alone_give():
    outputs, labels = draw(1, 1, 50, 1), labels_for("poisson", 1, 1, 50, 1)
    actual = NumberLoss("poisson")(torch.tensor(outputs), torch.tensor(labels)).mean().item()
    best = np.mean(labels - special.xlogy(labels, labels))
    deviance = mean_poisson_deviance(labels.ravel(), np.exp(outputs).ravel())
    assert 2 * (actual - best) == pytest.approx(deviance, rel=1e-12)


@pytest.mark.parametrize("name", NUMBER_LOSSES)
def test_no_other_number_costs_less_than_the_label(name):
    labels = labels_for(name, 1, 1, 20, 1) + 0.5 * (name == "poisson")
    best = np.log(labels) if name == "poisson" else labels
    loss = NumberLoss(name, 0.7)
    least = loss(torch.tensor(best), torch.tensor(labels))
    for shift in (-2.0, -0.1, 0.1, 2.0):
        assert (loss(torch.tensor(best + shift), torch.tensor(labels)) > least).all()


# classes


def test_two_classes():
    logits = draw(*SHAPE, 1, scale=3.0)
    labels = (draw(*SHAPE, 1, seed=1) > 0).astype(float)
    actual = BinaryLoss()(torch.tensor(logits), torch.tensor(labels)).numpy()
    assert actual.shape == SHAPE
    for index in np.ndindex(SHAPE):
        p = special.expit(logits[index])[0]
        expected = log_loss([labels[index][0]], [[1 - p, p]], labels=[0, 1])
        assert actual[index] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("logit", [-800.0, -40.0, 0.0, 40.0, 800.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_two_classes_far_from_each_other(logit, label):
    output = torch.tensor([[[[logit]]]], dtype=torch.float64, requires_grad=True)
    actual = BinaryLoss()(output, torch.full((1, 1, 1, 1), label, dtype=torch.float64))
    actual.sum().backward()
    expected = -special.log_expit(logit if label else -logit)
    # torch's softplus is linear beyond 20, which is exact to 2e-9
    assert_allclose(actual.item(), expected, rtol=1e-9, atol=3e-9)
    assert_allclose(output.grad.item(), special.expit(logit) - label, atol=3e-9)


def test_two_classes_look_at_the_first_output_only():
    outputs, labels = torch.tensor(draw(*SHAPE, 3)), torch.zeros(*SHAPE, 1).double()
    assert torch.equal(BinaryLoss()(outputs, labels), BinaryLoss()(outputs[..., :1], labels))


ALLOWED = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]], bool)


def blocks_of_classes(seed=0):
    """Outputs and possible labels for blocks of the four tasks of ALLOWED, in no order."""
    generator = np.random.default_rng(seed)
    tasks = np.array([[2, 0, 3], [1, 3, 0]])
    slots = np.array([[0, 0, 2, 1], [1, 0, 2, 2]])
    of_block = np.take_along_axis(tasks, slots, 1)
    labels = np.empty((2, 4, 3, 1))
    for m, k, b in np.ndindex(2, 4, 3):
        labels[m, k, b] = generator.choice(np.flatnonzero(ALLOWED[of_block[m, k]]))
    return draw(2, 4, 3, 6, seed=seed, scale=3.0), labels, tasks, slots, of_block


def test_several_classes_of_which_tasks_have_a_few():
    outputs, labels, tasks, slots, of_block = blocks_of_classes()
    loss = ClassLoss(torch.from_numpy(ALLOWED))
    actual = loss(*(torch.from_numpy(v) for v in (outputs, labels, tasks, slots))).numpy()
    assert actual.shape == (2, 4, 3)
    for m, k, b in np.ndindex(2, 4, 3):
        allowed = np.flatnonzero(ALLOWED[of_block[m, k]])
        probabilities = special.softmax(outputs[m, k, b, allowed])
        label = labels[m, k, b, 0]
        if len(allowed) == 1:
            assert actual[m, k, b] == 0
            continue
        expected = log_loss([label], [probabilities], labels=allowed)
        assert actual[m, k, b] == pytest.approx(expected, rel=1e-9)


def test_classes_that_a_task_does_not_have_get_no_gradient():
    outputs, labels, tasks, slots, of_block = blocks_of_classes()
    outputs = torch.tensor(outputs, requires_grad=True)
    loss = ClassLoss(torch.from_numpy(ALLOWED))
    loss(outputs, *(torch.from_numpy(v) for v in (labels, tasks, slots))).sum().backward()
    mask = np.zeros((2, 4, 3, 6), bool)
    mask[..., :5] = ALLOWED[of_block][:, :, None]
    assert_array_equal(outputs.grad.numpy()[~mask], 0)
    several = mask & (mask.sum(-1, keepdims=True) > 1)
    assert (outputs.grad.numpy()[several] != 0).all()
    # probabilities minus the label add up to nothing
    assert_allclose(outputs.grad.numpy().sum(-1), 0, atol=1e-12)


@pytest.mark.parametrize("size", [1e3, 1e6, 1e20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_outputs_of_classes_far_from_each_other(size, dtype):
    outputs, labels, tasks, slots, _ = blocks_of_classes()
    outputs = (torch.tensor(outputs) * size).to(dtype).requires_grad_()
    loss = ClassLoss(torch.from_numpy(ALLOWED))
    actual = loss(outputs, *(torch.from_numpy(v) for v in (labels, tasks, slots)))
    actual.sum().backward()
    assert torch.isfinite(actual).all()
    assert torch.isfinite(outputs.grad).all()
    assert (outputs.grad.abs() <= 1).all()


# all kinds at once


def joint():
    """A loss of six tasks of three kinds, and what each would be alone."""
    several = torch.tensor([[True, False, False], [True] * 3, [True, False, False]] * 2)
    several[4] = torch.tensor([True, True, False])
    parts = {
        (2, 5): BinaryLoss(),
        (0, 3): NumberLoss("huber"),
        (1, 4): ClassLoss(several),
    }
    loss = JointLoss(list(parts.values()), [list(block) for block in parts])
    outputs = draw(2, 6, 7, 3, scale=2.0)
    labels = draw(2, 6, 7, 1, seed=1)
    generator = np.random.default_rng(2)
    labels[:, [2, 5]] = generator.integers(0, 2, (2, 2, 7, 1))
    labels[:, 1] = generator.integers(0, 3, (2, 7, 1))
    labels[:, 4] = generator.integers(0, 2, (2, 7, 1))
    tasks = np.broadcast_to(np.arange(6), (2, 6))
    alone = {task: part for block, part in parts.items() for task in block}
    return loss, outputs, labels, tasks, alone


def test_kinds_together_cost_what_they_cost_alone():
    loss, outputs, labels, tasks, _ = joint()
    actual = loss(*(torch.tensor(v) for v in (outputs, labels, tasks, tasks))).numpy()
    assert actual.shape == (2, 6, 7)
    for m, t, b in np.ndindex(2, 6, 7):
        output, label = outputs[m, t, b], labels[m, t, b, 0]
        if t in (0, 3):
            expected = special.huber(HUBER_THRESHOLD, output[0] - label)
        elif t in (2, 5):
            expected = -special.log_expit(output[0] if label else -output[0])
        else:
            classes = 3 if t == 1 else 2
            expected = -special.log_softmax(output[:classes])[int(label)]
        assert actual[m, t, b] == pytest.approx(expected, rel=1e-8)


def test_a_task_alone_costs_what_it_costs_among_others():
    loss, outputs, labels, tasks, alone = joint()
    values = [torch.tensor(v) for v in (outputs, labels, tasks)]
    together = loss(*values, values[2])
    for t, part in alone.items():
        slots = torch.full((2, 1), t)
        part_of_outputs = values[0][:, t : t + 1]
        if not isinstance(part, ClassLoss):
            part_of_outputs = part_of_outputs[..., :1]
        one = part(part_of_outputs, values[1][:, t : t + 1], values[2], slots)
        assert torch.equal(one, together[:, t : t + 1])


def test_outputs_that_a_kind_does_not_have_get_no_gradient():
    loss, outputs, labels, tasks, _ = joint()
    outputs = torch.tensor(outputs, requires_grad=True)
    loss(outputs, *(torch.tensor(v) for v in (labels, tasks, tasks))).sum().backward()
    gradient = outputs.grad.numpy()
    assert_array_equal(gradient[:, [0, 2, 3, 5], :, 1:], 0)
    assert_array_equal(gradient[:, 4, :, 2], 0)
    assert (gradient[:, 1] != 0).all()
    assert (gradient[..., 0] != 0).all()


# every loss


def every_loss():
    for name in NUMBER_LOSSES:
        for n_outputs in (1, 2):
            labels = labels_for(name, 2, 4, 3, n_outputs)
            yield f"{name} {n_outputs}", NumberLoss(name, 0.3), draw(2, 4, 3, n_outputs), labels
    labels = (draw(2, 4, 3, 1, seed=1) > 0).astype(float)
    yield "binary", BinaryLoss(), draw(2, 4, 3, 1), labels
    outputs, labels, *_ = blocks_of_classes()
    yield "classes", ClassLoss(torch.from_numpy(ALLOWED)), outputs, labels


@pytest.fixture(params=every_loss(), ids=lambda case: case[0])
def case(request):
    _, loss, outputs, labels = request.param
    _, _, tasks, slots, _ = blocks_of_classes()
    return loss, torch.tensor(outputs), torch.tensor(labels), *map(torch.tensor, (tasks, slots))


def test_gradients_are_those_of_finite_differences(case):
    loss, outputs, *rest = case
    outputs = outputs.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda o: loss(o, *rest), (outputs,), eps=1e-7, atol=1e-6, fast_mode=True
    )


def test_losses_of_a_member_do_not_depend_on_other_members(case):
    loss, *values = case
    together = loss(*values)
    for m in range(2):
        assert torch.equal(loss(*(v[m : m + 1] for v in values)), together[m : m + 1])


@pytest.mark.parametrize("output", [0.0, 50.0, -50.0, 1e3, -1e3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_entries_without_weight_never_give_nan(case, dtype, output):
    # padding holds the features of some row, seen by the network of another task: whatever
    # comes out of that, and whatever its label, must not matter
    loss, outputs, labels, tasks, slots = case
    labels = labels.clone()
    weights = torch.ones(2, 4, 3, dtype=dtype)
    for index in ([0, 1, 2], [1, 3, 0], [0, 0, 0]):
        weights[tuple(index)] = 0
        labels[tuple(index)] = 0
        outputs[tuple(index)] = output
    expected = loss(outputs, labels, tasks, slots)[weights > 0].sum().item()
    outputs = outputs.to(dtype).requires_grad_()
    total = (loss(outputs, labels.to(dtype), tasks, slots) * weights).sum()
    total.backward()
    assert total.item() == pytest.approx(expected, rel=1e-5)
    assert torch.isfinite(outputs.grad).all()
    assert (outputs.grad[weights == 0] == 0).all()
