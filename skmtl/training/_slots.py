"""From blocks to slots and from slots to tasks: sums and matrices in another order."""


def sum_by(places, n_places, values):
    """Sums of the values that belong to each place.

    Parameters
    ----------
    places : Tensor of shape (M, K) of int64
        Slots of blocks, or tasks of slots.
    n_places : int
    values : Tensor of shape (M, K) or (M, P, K)

    Returns
    -------
    Tensor of shape (M, n_places) or (M, P, n_places)
    """
    if values.ndim > places.ndim:
        places = places.unsqueeze(1).expand_as(values)
    return values.new_zeros(*values.shape[:-1], n_places).scatter_add(-1, places, values)


def matrix_by_task(values, tasks, n_tasks):
    """A matrix over slots as one over tasks.

    Parameters
    ----------
    values : Tensor of shape (M, S, S)
        Zero in the rows and columns of empty slots, which stand for the first task.
    tasks : Tensor of shape (M, S) of int64
    n_tasks : int

    Returns
    -------
    Tensor of shape (M, n_tasks, n_tasks)
    """
    places = values.new_zeros(*tasks.shape, n_tasks).scatter(2, tasks.unsqueeze(2), 1.0)
    return places.mT @ values @ places
