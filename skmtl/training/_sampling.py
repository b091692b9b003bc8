"""How often each task is drawn, and the rows and rounds of an epoch."""

import torch


def task_shares(sampling, totals):
    """Return shares (M, T) of the loss from summed weights (M, T), or None for "rows"."""
    if sampling == "rows":
        return None
    shares = (totals > 0).to(totals.dtype) if sampling == "tasks" else totals.sqrt()
    return shares / shares.sum(1, keepdim=True)


def task_draws(shares, counts):
    """Return how many rows of each task to draw (M, T), from shares and rows of tasks (M, T).

    An epoch is about as long as the table, with at least one row of every task that has rows.
    """
    draws = (shares * counts.sum(1, keepdim=True)).round().long().clamp(min=1)
    return torch.where(counts > 0, draws, 0)


def task_factors(shares, totals, counts, draws):
    """Return factors (M, T) of rows' weights that make shares exact and keep the epoch's sum."""
    present = counts > 0
    shares = torch.where(present, shares, 0)
    shares = shares / shares.sum(1, keepdim=True)
    mean_weight = totals.sum(1, keepdim=True) / counts.sum(1, keepdim=True)
    expected = draws * totals / counts.clamp(min=1)
    factors = shares * draws.sum(1, keepdim=True) * mean_weight / expected
    return torch.where(present, factors, 0)


def draw_rows(rows, tasks, draws, generator):
    """Draw an epoch's rows: every row of a task equally often, the remainder at random.

    Rows (n,) have `tasks` (n,); `draws` (T,) are the rows of each task to draw. Not yet shuffled.
    """
    order = torch.randperm(len(rows), generator=generator)
    order = order[tasks[order].argsort(stable=True)]
    rows, tasks = rows[order], tasks[order]
    counts = torch.bincount(tasks, minlength=len(draws))
    rank = torch.arange(len(rows)) - (counts.cumsum(0) - counts)[tasks]
    counts = counts.clamp(min=1)
    copies = (draws // counts)[tasks] + (rank < (draws % counts)[tasks])
    return rows.repeat_interleave(copies)


def deal_rounds(rows, n_batches, generator):
    """Deal rows of every task to even batches, in shuffled rounds of tasks that have some left.

    Rows and numbers of batches are by task; returns rows and the task of each batch.
    """
    dealt = []
    for task_rows, number in zip(rows, n_batches, strict=True):
        if not number:
            dealt.append([])
            continue
        task_rows = task_rows[torch.randperm(len(task_rows), generator=generator)]
        dealt.append(task_rows.split(-(-len(task_rows) // number)))
    batches, tasks = [], []
    for turn in range(max(n_batches, default=0)):
        present = [task for task, number in enumerate(n_batches) if number > turn]
        for position in torch.randperm(len(present), generator=generator).tolist():
            batches.append(dealt[present[position]][turn])
            tasks.append(present[position])
    return batches, tasks
