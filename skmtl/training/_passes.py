"""Backward passes of a step: of losses with the penalties beside them, or of gradients as found."""


def backward(net, loss):
    """Gradients of the mean losses (M,) of a batch, and of the penalties beside them."""
    penalties = net.penalties()
    if penalties is not None:
        loss = loss + penalties
    # members share no parameter, so the gradient of the sum is each member's own
    loss.sum().backward()


def penalise(net, **options):
    """Gradients of the penalties alone, to the parameters; options are those of `backward`."""
    penalties = net.penalties()
    if penalties is not None and penalties.requires_grad:
        penalties.sum().backward(**options)


def give(net, gradients):
    """Gradients by name to the parameters, beside those that they have."""
    for name, parameter in net.module_.named_parameters():
        gradient = gradients.get(name)
        if gradient is not None:
            gradient = gradient.detach()
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
