"""Batches of one task each, in rounds that visit every task once in shuffled order."""

import torch


def deal_rounds(rows, n_batches, generator):
    """Split every task's rows into even batches, and arrange the batches of all tasks in rounds.

    A round has one batch of every task that has batches left.

    Parameters
    ----------
    rows : list of Tensors of int64
        Row numbers of every task.
    n_batches : list of int
        How many batches each task has.
    generator : torch.Generator
        Shuffles the rows of each task, and the tasks of each round.

    Returns
    -------
    batches : list of Tensors of int64
        Row numbers.
    tasks : list of int
        The task of each batch.
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
