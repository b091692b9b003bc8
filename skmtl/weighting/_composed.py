"""A method for losses and one for gradients, one after the other."""

from skmtl.weighting._base import GRAMIAN, LOSSES, TaskWeighting


class Composition(TaskWeighting):
    """Losses are weighted by one method, and the gradients of the weighted losses by another.

    An estimator also takes a tuple of the two.

    Parameters
    ----------
    loss_method : TaskWeighting
        A method that does not need the Gramian.
    gradient_method : TaskWeighting
        A method that does.

    See Also
    --------
    UncertaintyWeighting : Often the first.
    PCGrad : Often the second.

    Notes
    -----
    With the weights v of the losses, the gradient method is given the Gramian of the weighted
    losses, ``v_s v_t G_st``, and the result is the product of both weights; the parameters that
    belong to one task see v only, unless the gradient method has a say about them too. What UW +
    PCGrad is in [1]_.

    References
    ----------
    .. [1] Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020,
       section 5.2.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import Composition, FixedWeights, MGDA
    >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    >>> method = Composition(FixedWeights([1.0, 0.5]), MGDA())
    >>> method.weights(torch.ones(1, 2), (gradients @ gradients.T)[None])
    tensor([[1.0000, 0.5000]])
    """

    def __init__(self, loss_method, gradient_method):
        self.loss_method = loss_method
        self.gradient_method = gradient_method

    @property
    def needs(self):
        """What the two methods need."""
        return self.loss_method.needs | self.gradient_method.needs | {LOSSES}

    def _check_parameters(self, n_tasks):
        if GRAMIAN in self.loss_method.needs or GRAMIAN not in self.gradient_method.needs:
            raise ValueError(
                "a composition takes a method for losses and then one for gradients, got "
                f"{self.loss_method!r} and {self.gradient_method!r}."
            )

    def _state(self, n_members, n_tasks):
        states = {
            "losses": self.loss_method.init_state(n_members, n_tasks),
            "gradients": self.gradient_method.init_state(n_members, n_tasks),
        }
        states = {name: state for name, state in states.items() if state is not None}
        return states or None

    def place(self, state, device):
        """Put the state of each method where it works.

        Parameters
        ----------
        state : dict or None
            From `init_state`.
        device : torch.device
            Where the losses are.

        Returns
        -------
        dict or None
            The state, each part in its place.
        """
        methods = {"losses": self.loss_method, "gradients": self.gradient_method}
        placed = {name: methods[name].place(part, device) for name, part in (state or {}).items()}
        return placed or None

    def _weights(self, losses, gramian, present, state, generators):
        state = state or {}
        first = self.loss_method.weights(losses, None, state.get("losses"), generators)
        first_typed = first.to(gramian.dtype)
        gramian = first_typed.unsqueeze(2) * gramian * first_typed.unsqueeze(1)
        second = self.gradient_method.weights(losses, gramian, state.get("gradients"), generators)
        return first * second

    def _end_step(self, before, after, state):
        self.loss_method.end_step(before, after, state["losses"])

    def end_epoch(self, state):
        """Learn that an epoch is over.

        Parameters
        ----------
        state : dict or None
            Changed in place.
        """
        self.loss_method.end_epoch((state or {}).get("losses"))
        self.gradient_method.end_epoch((state or {}).get("gradients"))
