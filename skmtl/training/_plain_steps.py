"""Plain steps: follow the gradient of the sum of the losses."""

from skmtl.training._passes import backward
from skmtl.training._steps import Steps


class PlainSteps(Steps):
    """Minimise the mean loss of all labels: every task has weight 1."""

    plain_backward = True

    def step(self, loop, batch):
        """Make one step along the gradient of the mean loss, see `Steps.step`."""
        y_pred, losses = loop.evaluate(batch)
        sums = losses.sum((1, 2))
        backward(loop, sums / batch.counts)
        loop.observer_.after_backward(loop, batch, losses)
        loop.step_optimizer(batch)
        return sums.detach(), y_pred
