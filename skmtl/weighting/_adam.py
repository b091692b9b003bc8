"""Adam on a small table of numbers, one row per member: how methods learn their own parameters."""

import torch


def adam_state(n_members, n_tasks, start=0.0):
    """A learned number for every member and task, and what Adam remembers of it."""
    zeros = torch.zeros(n_members, n_tasks, dtype=torch.float64)
    return {
        "value": zeros + start,
        "mean": zeros.clone(),
        "square": zeros.clone(),
        "steps": zeros.clone(),
    }


def adam_step(state, gradient, active, rate, decay=0.0, betas=(0.9, 0.999), eps=1e-8):
    """One step of Adam (Kingma and Ba, algorithm 1), with weight decay in the gradient.

    A number that is not active keeps all it has; each counts steps of its own, since tasks may be
    absent from batches.
    """
    value, mean, square = state["value"], state["mean"], state["square"]
    if decay:
        gradient = gradient + decay * value
    steps = state["steps"] + active
    new_mean = mean.lerp(gradient, 1 - betas[0])
    new_square = square.lerp(gradient.square(), 1 - betas[1])
    root = (new_square / (1 - betas[1] ** steps)).sqrt_().add_(eps)
    move = new_mean / ((1 - betas[0] ** steps) * root)
    # in place, but out of reach of a graph that the old values may be part of
    state["mean"] = torch.where(active, new_mean, mean)
    state["square"] = torch.where(active, new_square, square)
    state["value"] = torch.where(active, value - rate * move, value)
    state["steps"] = steps
