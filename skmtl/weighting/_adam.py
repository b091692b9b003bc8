"""Adam for the parameters that methods of task weighting learn: one per member and task."""

import torch


def adam_state(n_members, n_tasks, start=0.0):
    """Return the initial state of one learned parameter per member and task."""
    zeros = torch.zeros(n_members, n_tasks, dtype=torch.float64)
    return {
        "value": zeros + start,
        "mean": zeros.clone(),
        "square": zeros.clone(),
        "steps": zeros.clone(),
    }


def adam_step(state, gradient, active, rate, decay=0.0, betas=(0.9, 0.999), eps=1e-8):
    """Make one step of Adam (Kingma and Ba, algorithm 1), with weight decay in the gradient.

    Parameters that are not active keep their state. Each has a separate step count, since tasks
    may be absent from batches.
    """
    value, mean, square = state["value"], state["mean"], state["square"]
    if decay:
        gradient = gradient + decay * value
    steps = state["steps"] + active
    new_mean = mean.lerp(gradient, 1 - betas[0])
    new_square = square.lerp(gradient.square(), 1 - betas[1])
    root = (new_square / (1 - betas[1] ** steps)).sqrt_().add_(eps)
    move = new_mean / ((1 - betas[0] ** steps) * root)
    # new tensors: the old ones may be part of a graph
    state["mean"] = torch.where(active, new_mean, mean)
    state["square"] = torch.where(active, new_square, square)
    state["value"] = torch.where(active, value - rate * move, value)
    state["steps"] = steps
