"""What estimators show of themselves as tables: history, embeddings, importance of facts."""

import numpy as np
import pandas as pd

# what the loop itself shows to callbacks
_RECORDED = ("train_loss", "valid_loss", "valid_loss_best", "best_loss", "n_members", "n_active")


def history_table(records, extra=None):
    """The history as a DataFrame, one row per member and epoch.

    Parameters
    ----------
    records : dict of str to ndarray
        Columns.
    extra : skorch History, optional
        Epochs of one member; single numbers that callbacks recorded become columns too.

    Returns
    -------
    DataFrame
    """
    table = pd.DataFrame(records).sort_values(["member", "epoch"], ignore_index=True)
    for name in extra[0] if extra else ():
        # by epoch: a callback that goes back to an earlier state takes the history with it
        values = {row["epoch"]: row.get(name) for row in extra}
        numeric = all(isinstance(value, (int, float)) for value in values.values())
        if numeric and name not in ("epoch", *_RECORDED):
            table[name] = table["epoch"].map(values)
    return table


def weights_table(records, weights, tasks):
    """Weights of the tasks as a DataFrame, one row per member and epoch, one column per task.

    Parameters
    ----------
    records : dict of str to ndarray, or DataFrame
        With the member and the epoch of each row.
    weights : ndarray of shape (n, n_tasks or more), or float
    tasks : Index

    Returns
    -------
    DataFrame
    """
    index = pd.MultiIndex.from_arrays(
        [records["member"], records["epoch"]], names=["member", "epoch"]
    )
    if isinstance(weights, np.ndarray):
        weights = weights[:, : len(tasks)].astype(float)
    return pd.DataFrame(weights, index=index, columns=tasks).sort_index()


def affinity_table(values, tasks):
    """Affinity as a DataFrame, one row for each member, epoch and task that steps.

    Parameters
    ----------
    values : ndarray of shape (n_epochs, M, n_tasks or more, n_tasks or more)
        All NaN where a member had stopped.
    tasks : Index

    Returns
    -------
    DataFrame
    """
    n_tasks = len(tasks)
    values = values[:, :, :n_tasks, :n_tasks].swapaxes(0, 1)
    n_members, n_epochs = values.shape[:2]
    index = pd.MultiIndex.from_product(
        [range(n_members), range(1, n_epochs + 1), tasks], names=["member", "epoch", "task"]
    )
    table = pd.DataFrame(values.reshape(-1, n_tasks), index=index, columns=tasks)
    # epochs without a look, and those behind the end of a member
    seen = np.repeat(~np.isnan(values).all(axis=(2, 3)).ravel(), n_tasks)
    return table[seen]


def choices_table(records, names):
    """Total transference of IT-MTL's candidates as a DataFrame, and what was chosen.

    Parameters
    ----------
    records : dict of str to ndarray
        See `CandidateSteps.finish`.
    names : list of str
        Of the candidates.

    Returns
    -------
    transferences : DataFrame
        One row per member, epoch and step, one column per candidate.
    choices : Categorical
        What was chosen in each row.
    """
    index = pd.MultiIndex.from_arrays(
        [records[name] for name in ("member", "epoch", "step")], names=["member", "epoch", "step"]
    )
    columns = pd.Index(names, name="candidate")
    table = pd.DataFrame(records["transference"].astype(float), index=index, columns=columns)
    return table, pd.Categorical.from_codes(records["choice"], categories=columns)


def embeddings_table(values, tasks):
    """Embeddings as a DataFrame, one row per task.

    Parameters
    ----------
    values : ndarray of shape (M, T, d_e)
    tasks : Index

    Returns
    -------
    DataFrame
        With several members the columns have two levels, member and dimension.
    """
    n_members, _, length = values.shape
    columns = pd.Index([f"e{k}" for k in range(length)])
    if n_members > 1:
        columns = pd.MultiIndex.from_product(
            [range(n_members), columns], names=["member", "dimension"]
        )
    return pd.DataFrame(np.concatenate(values, axis=1), index=tasks, columns=columns)


def similarity_table(values, tasks):
    """Cosine similarity of the embeddings of tasks, mean over members, as a DataFrame.

    Parameters
    ----------
    values : ndarray of shape (M, T, d_e)
        A vector of zeros is like another one, and unlike all others.
    tasks : Index
    """
    norms = np.linalg.norm(values, axis=2, keepdims=True)
    units = np.divide(values, norms, out=np.zeros_like(values), where=norms > 0)
    empty = (norms == 0).astype(float)
    cosines = units @ units.transpose(0, 2, 1) + empty @ empty.transpose(0, 2, 1)
    return pd.DataFrame(cosines.mean(axis=0), index=tasks, columns=tasks)


def importance_table(falls, names):
    """Importance of facts as a DataFrame, the most important one first.

    Parameters
    ----------
    falls : list of tuple
        Mean and standard deviation of the fall of the score, for each fact.
    names : list
        Of the facts.
    """
    columns = ["importance_mean", "importance_std"]
    table = pd.DataFrame(falls, index=pd.Index(names, name="metadata"), columns=columns)
    return table.sort_values(columns[0], ascending=False)
