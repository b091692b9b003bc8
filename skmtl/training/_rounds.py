"""Batches of one task each, in rounds that visit every task once, in shuffled order."""

import torch


def deal_rounds(rows, n_batches, generator):
    """Deal every task's rows to even batches, and put those of all tasks in an order.

    A round has one batch of every task that has any left, so that uneven tasks stay in the epoch
    as long as they have rows.

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
    for own, number in zip(rows, n_batches, strict=True):
        if not number:
            dealt.append([])
            continue
        own = own[torch.randperm(len(own), generator=generator)]
        pieces = own.split(-(-len(own) // number))
        dealt.append(pieces)
    batches, tasks = [], []
    for turn in range(max(n_batches, default=0)):
        present = [task for task, number in enumerate(n_batches) if number > turn]
        for place in torch.randperm(len(present), generator=generator).tolist():
            batches.append(dealt[present[place]][turn])
            tasks.append(present[place])
    return batches, tasks
