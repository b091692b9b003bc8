"""A method for losses followed by a method for gradients."""

from skmtl.weighting._base import GRAMIAN, LOSSES, Part, TaskWeighting


class Composition(TaskWeighting):
    """Weigh losses by one method, and the gradients of the weighted losses by another.

    An estimator also takes a tuple of the two.

    Parameters
    ----------
    loss_method : TaskWeighting
        A method that does not need the Gramian.
    gradient_method : TaskWeighting
        A method that needs it.

    See Also
    --------
    UncertaintyWeighting : A common choice for the losses.
    PCGrad : A common choice for the gradients.

    Notes
    -----
    With the weights v of the losses, the gradient method receives the Gramian ``v_s v_t G_st``, and
    the result is the product of both weights. Parameters that belong to one task are weighted by v,
    and by the gradient method if it weighs them. This is UW + PCGrad of [1]_.

    References
    ----------
    .. [1] Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020,
       section 5.2.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import Composition, FixedWeights, MGDA
    >>> method = Composition(FixedWeights([1.0, 0.5]), MGDA())
    >>> method.weights(torch.ones(1, 2), torch.diag(torch.tensor([1.0, 4.0]))[None])
    tensor([[1.0000, 0.5000]])
    """

    def __init__(self, loss_method, gradient_method):
        self.loss_method = loss_method
        self.gradient_method = gradient_method

    @property
    def needs(self):
        return self.loss_method.needs | self.gradient_method.needs | {LOSSES}

    def bind(self, tasks, task_types):
        return Composition(*(m.bind(tasks, task_types) for m in self._methods().values()))

    def parts(self, state=None):
        return tuple(Part(m, (state or {}).get(name)) for name, m in self._methods().items())

    def place(self, state, device):
        return place_states(self._methods(), state, device) or None

    def end_epoch(self, state):
        for part in self.parts(state):
            part.method.end_epoch(part.state)

    def _methods(self):
        return {"losses": self.loss_method, "gradients": self.gradient_method}

    def _check_parameters(self, n_tasks):
        if GRAMIAN in self.loss_method.needs or GRAMIAN not in self.gradient_method.needs:
            raise ValueError(
                "a composition takes a method for losses and then one for gradients, got "
                f"{self.loss_method!r} and {self.gradient_method!r}."
            )

    def _state(self, n_members, n_tasks):
        return init_states(self._methods(), n_members, n_tasks) or None

    def _weights(self, losses, gramian, present, state, generators):
        by_loss, by_gradient = self.parts(state)
        first = by_loss.method.weights(losses, None, by_loss.state, generators)
        first_typed = first.to(gramian.dtype)
        gramian = first_typed.unsqueeze(2) * gramian * first_typed.unsqueeze(1)
        second = by_gradient.method.weights(losses, gramian, by_gradient.state, generators)
        return first * second

    def _end_step(self, before, after, state):
        self.loss_method.end_step(before, after, state["losses"])


def init_states(methods, n_members, n_tasks):
    """Return the states of those of the named methods that have one."""
    states = {name: method.init_state(n_members, n_tasks) for name, method in methods.items()}
    return {name: state for name, state in states.items() if state is not None}


def place_states(methods, states, device):
    """Move the state of each of the named methods to the device on which it computes."""
    return {name: methods[name].place(part, device) for name, part in (states or {}).items()}
