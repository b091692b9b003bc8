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
        A method that does.

    See Also
    --------
    UncertaintyWeighting : Often the first.
    PCGrad : Often the second.

    Notes
    -----
    With the weights v of the losses, the gradient method receives the Gramian of the weighted
    losses, ``v_s v_t G_st``, and the result is the product of both weights. Only v applies to the
    parameters that belong to one task, unless the gradient method weighs them too. This is UW +
    PCGrad of [1]_.

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

    def bind(self, tasks, task_types):
        """Return the composition of both methods as the training loop uses them.

        Parameters
        ----------
        tasks : sequence of M sequences
            Labels of the tasks of every member.
        task_types : sequence of T str
            What each task is, "regression" or "classes".

        Returns
        -------
        Composition
            Of the bound methods.
        """
        methods = self.loss_method, self.gradient_method
        return Composition(*(method.bind(tasks, task_types) for method in methods))

    def parts(self, state=None):
        """Return the method for losses and that for gradients.

        Parameters
        ----------
        state : dict, optional
            From `init_state`.

        Returns
        -------
        losses, gradients : Part
            The two methods with their states.
        """
        state = state or {}
        return (
            Part(self.loss_method, state.get("losses")),
            Part(self.gradient_method, state.get("gradients")),
        )

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
        """Move the state of each method to where it works.

        Parameters
        ----------
        state : dict or None
            From `init_state`.
        device : torch.device
            Where the losses are.

        Returns
        -------
        dict or None
            The state, each part on its device.
        """
        methods = {"losses": self.loss_method, "gradients": self.gradient_method}
        placed = {name: methods[name].place(part, device) for name, part in (state or {}).items()}
        return placed or None

    def _weights(self, losses, gramian, present, state, generators):
        by_loss, by_gradient = self.parts(state)
        first = by_loss.method.weights(losses, None, by_loss.state, generators)
        first_typed = first.to(gramian.dtype)
        gramian = first_typed.unsqueeze(2) * gramian * first_typed.unsqueeze(1)
        second = by_gradient.method.weights(losses, gramian, by_gradient.state, generators)
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
        for part in self.parts(state):
            part.method.end_epoch(part.state)
