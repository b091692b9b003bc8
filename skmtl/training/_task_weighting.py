"""Which steps a method of task weighting needs."""

from skmtl.training._candidate_steps import CandidateSteps
from skmtl.training._plain_steps import PlainSteps
from skmtl.training._weighted_steps import WeightedSteps
from skmtl.weighting import get_weighting


def steps_for(method, state=None, form="auto"):
    """Return the steps for a method of task weighting.

    Parameters
    ----------
    method : str, TaskWeighting, tuple or Weighting of TorchJD
        See `get_weighting`; bound, if it depends on the tasks.
    state : dict, optional
        What the method remembers of an earlier fit.
    form : {"auto", "exact"}
        How gradients of tasks are computed, see `task_gradients`.

    Returns
    -------
    Steps
    """
    method = get_weighting(method)
    if method.unweighted:
        return PlainSteps()
    _, by_gradient = method.parts()
    chooses = by_gradient is not None and by_gradient.method.chooses
    return (CandidateSteps if chooses else WeightedSteps)(method, state, form)
