"""Sums over the blocks of a slot and over the slots of a task."""


def sum_by(index, n_groups, values):
    """Sum values (M, K) or (M, P, K) by index (M, K), such as the slots of blocks."""
    if values.ndim > index.ndim:
        index = index.unsqueeze(1).expand_as(values)
    return values.new_zeros(*values.shape[:-1], n_groups).scatter_add(-1, index, values)


def matrix_by(index, n_groups, values):
    """Sum (M, K, K) by an index (M, K) of its rows and columns: (M, n, n), 0 for empty slots."""
    chosen = values.new_zeros(*index.shape, n_groups).scatter(2, index.unsqueeze(2), 1.0)
    return chosen.mT @ values @ chosen
