"""Compute the gradients of a step from losses and penalties, or set them directly."""


def backward(net, loss):
    """Compute the gradients of the mean losses (M,) of a batch plus the penalties."""
    penalties = net.penalties()
    if penalties is not None:
        loss = loss + penalties
    # members share no parameter, so each one gets the gradient of its own loss
    loss.sum().backward()


def penalise(net, **options):
    """Compute the gradients of the penalties alone; options are those of `Tensor.backward`."""
    penalties = net.penalties()
    if penalties is not None and penalties.requires_grad:
        penalties.sum().backward(**options)


def give(net, gradients):
    """Add gradients, by name, to those that the parameters have."""
    for name, parameter in net.module_.named_parameters():
        gradient = gradients.get(name)
        if gradient is not None:
            gradient = gradient.detach()
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
