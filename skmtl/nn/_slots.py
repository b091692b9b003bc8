"""Sums of rows by blocks, of blocks by slots, of slots by tasks."""


def sum_by(index, n_groups, values):
    """Sum values (M, K) or (M, P, K) by index (M, K): slots of blocks, or tasks of slots."""
    if values.ndim > index.ndim:
        index = index.unsqueeze(1).expand_as(values)
    return values.new_zeros(*values.shape[:-1], n_groups).scatter_add(-1, index, values)


def matrix_by(index, n_groups, values):
    """Sum (M, K, K), zero in empty slots, by index (M, K) of its rows and columns: (M, n, n)."""
    chosen = values.new_zeros(*index.shape, n_groups).scatter(2, index.unsqueeze(2), 1.0)
    return chosen.mT @ values @ chosen
