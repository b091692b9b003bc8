"""Seconds and scores of batched searches against scikit-learn's."""

import time

import numpy as np
import torch
from common.summaries import spread, verdict
from search.contenders import folds, grid, model_of, scores
from sklearn.model_selection import GridSearchCV

from skmtl.model_selection import BatchedGridSearchCV

MUST, AIM, ON_GPU = 2.5, 5.0, 30.0
# processes of scikit-learn's search, threads of ours
N_WORKERS = 2
BATCHED, ONE_BY_ONE = "batched, two threads", "GridSearchCV, two processes"
BATCHED_ON_GPU = "batched, on the GPU"


def contenders(bunch, candidates, settings):
    """Return the searches, by name."""
    common = {"cv": folds(bunch), "refit": False}
    model = model_of(bunch, **settings)
    searches = {
        ONE_BY_ONE: GridSearchCV(model, candidates, n_jobs=N_WORKERS, **common),
        BATCHED: BatchedGridSearchCV(model, candidates, **common),
    }
    if torch.cuda.is_available():
        on_gpu = model_of(bunch, device="cuda", **settings)
        searches[BATCHED_ON_GPU] = BatchedGridSearchCV(on_gpu, candidates, **common)
    return searches


def measure(name, bunch, setting, settings, n_candidates, n_repeats):
    """Run the searches in turn.

    Returns
    -------
    list of dict
        One per run: the search, seconds on the wall, largest difference of its scores from those
        of scikit-learn's search in the same turn.
    """
    searches = contenders(bunch, grid(n_candidates), settings)
    for search in contenders(bunch, grid(2), {**settings, "max_iter": 1}).values():
        search.fit(bunch.data, bunch.target)  # processes start and import
    names, rows = list(searches), []
    for repeat in range(n_repeats):
        seconds, got = {}, {}
        # another one goes first each time
        shift = repeat % len(names)
        for contender in names[shift:] + names[:shift]:
            start = time.perf_counter()
            searches[contender].fit(bunch.data, bunch.target)
            seconds[contender] = time.perf_counter() - start
            got[contender] = scores(searches[contender])
        for contender in names:
            difference = np.abs(got[contender] - got[ONE_BY_ONE]).max()
            row = {"data": name, "training": setting, "search": contender, "repeat": repeat}
            row |= {"fits": got[contender].size, "seconds": seconds[contender]}
            rows.append({**row, "largest_score_difference": difference})
            print(f"{name}, {setting}, {contender}: {seconds[contender]:.2f} s", flush=True)
    return rows


def compare(runs):
    """Return ratios of scikit-learn's search to ours, within a turn.

    Returns
    -------
    list of dict
    """
    rows = []
    for (name, setting), here in runs.groupby(["data", "training"], sort=False):
        seconds = here.pivot(index="repeat", columns="search", values="seconds")
        differences = here.groupby("search")["largest_score_difference"].max()
        for contender, must in ((BATCHED, MUST), (BATCHED_ON_GPU, ON_GPU)):
            if contender not in seconds:
                continue
            line = {"data": name, "training": setting, "ratio": f"{ONE_BY_ONE} / {contender}"}
            line |= spread(seconds[ONE_BY_ONE] / seconds[contender])
            line["largest_score_difference"] = differences[contender]
            if setting == "fixed epochs":
                line["target"] = f"at least {must:g}"
                line["result"] = verdict(line["median"] >= must)
                if contender == BATCHED:
                    line["target"] += f", aim {AIM:g}"
            rows.append(line)
    return rows
