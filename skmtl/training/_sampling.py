"""How often each task is drawn: by its rows, equally, or by the square root of its rows."""

import torch


def task_shares(sampling, totals):
    """Return the share of the loss that each task should have.

    Parameters
    ----------
    sampling : {"rows", "tasks", "sqrt"}
    totals : Tensor of shape (M, T)
        Summed weights of each task's training rows.

    Returns
    -------
    Tensor of shape (M, T) or None
        They sum to 1 over the tasks that have rows; None if rows keep their own weights.
    """
    if sampling == "rows":
        return None
    shares = (totals > 0).to(totals.dtype) if sampling == "tasks" else totals.sqrt()
    return shares / shares.sum(1, keepdim=True)


def task_draws(shares, counts):
    """Return how many rows of each task to draw; an epoch is about as long as the table.

    Parameters
    ----------
    shares : Tensor of shape (M, T)
    counts : Tensor of shape (M, T) of int64
        Training rows of each task.

    Returns
    -------
    Tensor of shape (M, T) of int64
        At least one of every task that has rows.
    """
    draws = (shares * counts.sum(1, keepdim=True)).round().long().clamp(min=1)
    return torch.where(counts > 0, draws, 0)


def task_factors(shares, totals, counts, draws):
    """Return factors of the weights of each task's rows that make the shares exact.

    The weights of an epoch keep the sum that rows of mean weight would have.

    Parameters
    ----------
    shares, totals : Tensors of shape (M, T)
    counts, draws : Tensors of shape (M, T) of int64
        Rows of each task, and how many are drawn in an epoch.

    Returns
    -------
    Tensor of shape (M, T)
    """
    present = counts > 0
    shares = torch.where(present, shares, 0)
    shares = shares / shares.sum(1, keepdim=True)
    mean_weight = totals.sum(1, keepdim=True) / counts.sum(1, keepdim=True)
    expected = draws * totals / counts.clamp(min=1)
    factors = shares * draws.sum(1, keepdim=True) * mean_weight / expected
    return torch.where(present, factors, 0)


def draw_rows(rows, tasks, draws, generator):
    """Draw an epoch's rows: every row of a task equally often, the remainder at random.

    Parameters
    ----------
    rows : Tensor of shape (n,) of int64
        Row numbers.
    tasks : Tensor of shape (n,) of int64
        Their tasks.
    draws : Tensor of shape (T,) of int64
        Rows of each task to draw.
    generator : torch.Generator

    Returns
    -------
    Tensor of shape (draws.sum(),)
        Row numbers, not yet shuffled.
    """
    order = torch.randperm(len(rows), generator=generator)
    order = order[tasks[order].argsort(stable=True)]
    rows, tasks = rows[order], tasks[order]
    counts = torch.bincount(tasks, minlength=len(draws))
    rank = torch.arange(len(rows)) - (counts.cumsum(0) - counts)[tasks]
    counts = counts.clamp(min=1)
    copies = (draws // counts)[tasks] + (rank < (draws % counts)[tasks])
    return rows.repeat_interleave(copies)
