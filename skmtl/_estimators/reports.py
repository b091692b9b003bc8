"""Tables of estimators: history, weights, affinity, embeddings, importance of metadata."""

import numpy as np
import pandas as pd

# values that the loop passes to callbacks
_RECORDED = ("train_loss", "valid_loss", "valid_loss_best", "best_loss", "n_members", "n_active")


def history_table(records, extra=None):
    """Return the history, one row per member and epoch, from columns.

    Numbers that callbacks have added to `extra`, the skorch history of one member, become columns.
    """
    table = pd.DataFrame(records).sort_values(["member", "epoch"], ignore_index=True)
    for name in extra[0] if extra else ():
        # by epoch: a callback that restores an earlier state also restores the history
        values = {row["epoch"]: row.get(name) for row in extra}
        numeric = all(isinstance(value, (int, float)) for value in values.values())
        if numeric and name not in ("epoch", *_RECORDED):
            table[name] = table["epoch"].map(values)
    return table


def weights_table(records, weights, tasks):
    """Return the weights (n, T or more), one row per member and epoch, one column per task."""
    index = pd.MultiIndex.from_arrays(
        [records["member"], records["epoch"]], names=["member", "epoch"]
    )
    if isinstance(weights, np.ndarray):
        weights = weights[:, : len(tasks)].astype(float)
    return pd.DataFrame(weights, index=index, columns=tasks).sort_index()


def affinity_table(values, tasks):
    """Return the affinity, one row for each member, epoch and task that steps.

    `values` of shape (n_epochs, M, T or more, T or more) are NaN where a member had stopped.
    """
    n_tasks = len(tasks)
    values = values[:, :, :n_tasks, :n_tasks].swapaxes(0, 1)
    n_members, n_epochs = values.shape[:2]
    index = pd.MultiIndex.from_product(
        [range(n_members), range(1, n_epochs + 1), tasks], names=["member", "epoch", "task"]
    )
    table = pd.DataFrame(values.reshape(-1, n_tasks), index=index, columns=tasks)
    # drop epochs without a measurement, and epochs after the end of a member
    measured = np.repeat(~np.isnan(values).all(axis=(2, 3)).ravel(), n_tasks)
    return table[measured]


def choices_table(records, names):
    """Return the total transference of IT-MTL's candidates, and the choice of each row.

    A row is a step of a member, see `CandidateSteps.finish`; a column is a candidate.
    """
    index = pd.MultiIndex.from_arrays(
        [records[name] for name in ("member", "epoch", "step")], names=["member", "epoch", "step"]
    )
    columns = pd.Index(names, name="candidate")
    table = pd.DataFrame(records["transference"].astype(float), index=index, columns=columns)
    return table, pd.Categorical.from_codes(records["choice"], categories=columns)


def embeddings_table(values, tasks):
    """Return embeddings (M, T, d_e), one row per task, one column per (member and) dimension."""
    n_members, _, length = values.shape
    columns = pd.Index([f"e{k}" for k in range(length)])
    if n_members > 1:
        columns = pd.MultiIndex.from_product(
            [range(n_members), columns], names=["member", "dimension"]
        )
    return pd.DataFrame(np.concatenate(values, axis=1), index=tasks, columns=columns)


def similarity_table(values, tasks):
    """Return cosine similarities of embeddings of shape (M, T, d_e), averaged over members.

    Two vectors of zeros have similarity 1; zeros and another vector have similarity 0.
    """
    norms = np.linalg.norm(values, axis=2, keepdims=True)
    units = np.divide(values, norms, out=np.zeros_like(values), where=norms > 0)
    empty = (norms == 0).astype(float)
    cosines = units @ units.transpose(0, 2, 1) + empty @ empty.transpose(0, 2, 1)
    return pd.DataFrame(cosines.mean(axis=0), index=tasks, columns=tasks)


def importance_table(decreases, names, by_level=False):
    """Return (mean, std) decreases of the score by metadata column, in decreasing order.

    With `by_level` a name is a pair of a level of ids and a column.
    """
    columns = ["importance_mean", "importance_std"]
    if by_level:
        index = pd.MultiIndex.from_tuples(names, names=["level", "metadata"])
    else:
        index = pd.Index(names, name="metadata")
    table = pd.DataFrame(decreases, index=index, columns=columns)
    return table.sort_values(columns[0], ascending=False)
