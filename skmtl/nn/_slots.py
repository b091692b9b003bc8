"""From rows to blocks, to slots, to tasks: sums and matrices in another order."""


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


def matrix_by(places, n_places, values):
    """A matrix over slots as one over tasks, or one over rows as one over slots.

    Parameters
    ----------
    places : Tensor of shape (M, K) of int64
        Tasks of slots, or slots of rows.
    n_places : int
    values : Tensor of shape (M, K, K)
        Zero in the rows and columns of what is empty, which may stand for any place.

    Returns
    -------
    Tensor of shape (M, n_places, n_places)
        Sums over what belongs to each pair of places.
    """
    chosen = values.new_zeros(*places.shape, n_places).scatter(2, places.unsqueeze(2), 1.0)
    return chosen.mT @ values @ chosen
