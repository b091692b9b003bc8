"""Memory of members, and of a search with very many of them."""

import time

import numpy as np
import torch
from common.summaries import verdict
from common.timing import PeakMemory, in_a_process, resident_bytes
from search.contenders import N_FOLDS, cubic, folds, grid, model_of, scores

from skmtl.model_selection import BatchedGridSearchCV, fit_many

GIGABYTES = 8.0


def fit_members(n_members, n_epochs):
    """Train members that differ in their learning rates on the first split of Cubic."""
    bunch = cubic()
    rows, _ = next(folds(bunch).split(bunch.data))
    rates = np.geomspace(5e-4, 5e-3, n_members).tolist()
    models = [
        model_of(bunch, early_stopping=False, max_iter=n_epochs, learning_rate_init=rate)
        for rate in rates
    ]
    table = bunch.data.iloc[rows], bunch.target.iloc[rows]
    return fit_many(models, *table, max_members=n_members)


def peak_of_a_run(n_members):
    """Return the largest memory of a run of `n_members` members, in megabytes."""
    fit_members(2, 1)
    with PeakMemory() as memory:
        fit_members(n_members, 3)
    return memory.megabytes


def peak_of_a_search(n_candidates, n_epochs, max_members, device="cpu"):
    """Return the largest memory of a search in gigabytes, that on the GPU, and its seconds."""
    bunch = cubic()
    model = model_of(bunch, device=device, early_stopping=False, max_iter=n_epochs)
    search = BatchedGridSearchCV(
        model, grid(n_candidates), cv=folds(bunch), max_members=max_members, refit=False
    )
    with PeakMemory() as memory:
        before = resident_bytes()
        start = time.perf_counter()
        search.fit(bunch.data, bunch.target)
        seconds = time.perf_counter() - start
    assert np.isfinite(scores(search)).all()
    on_gpu = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    return before / 1e9 + memory.megabytes / 1e3, on_gpu / 1e9, seconds


def measure_memory(n_few, n_many, n_candidates, n_epochs):
    """Measure the memory of members, and of a search with very many of them.

    Returns
    -------
    list of dict
    """
    few, many = (in_a_process(peak_of_a_run, n) for n in (n_few, n_many))
    rows = [
        {
            "what": f"megabytes per member, {n_few} to {n_many} members",
            "got": (many - few) / (n_many - n_few),
        }
    ]
    n_members = n_candidates * N_FOLDS
    runs = [("auto", "cpu"), (n_members, "cpu")]
    if torch.cuda.is_available():
        runs.append((n_members, "cuda"))
    for max_members, device in runs:
        run = f"{n_members} members on 20 tasks, max_members={max_members}, {device}"
        gigabytes, on_gpu, seconds = in_a_process(
            peak_of_a_search, n_candidates, n_epochs, max_members, device
        )
        bound = {"target": f"at most {GIGABYTES:g}"}
        most = {"what": f"{run}: gigabytes of the process at most", "got": gigabytes, **bound}
        rows.append({**most, "result": verdict(gigabytes <= GIGABYTES)})
        if device == "cuda":
            most = {"what": f"{run}: gigabytes of the GPU at most", "got": on_gpu, **bound}
            rows.append({**most, "result": verdict(on_gpu <= GIGABYTES)})
        rows.append({"what": f"{run}: seconds for {n_epochs} epochs", "got": seconds})
    return rows
