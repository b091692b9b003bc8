"""Batched searches against scikit-learn's: seconds, scores, memory, and how near the floor.

16 candidates on 4 folds of Cubic and High School & Beyond, and 1,000 members on Cubic. Run as a
file.
"""

import argparse
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from _common import save, spread, time_interleaved, verdict
from prediction_speed import PeakMemory
from sklearn.model_selection import GridSearchCV

from skmtl import MultiTaskHypernetRegressor
from skmtl._estimators.plan import build_module
from skmtl._estimators.run import train
from skmtl.datasets import load_high_school, make_cubic
from skmtl.model_selection import BatchedGridSearchCV, TaskKFold
from skmtl.model_selection._memory import bytes_per_member
from skmtl.training._blocks import block_shape

MUST, AIM, ON_GPU = 2.5, 5.0, 30.0
GIGABYTES = 8.0
# of one thread of the machine that the floor is computed for
GIGAFLOPS, GIGABYTES_PER_SECOND = 150.0, 20.0
N_FOLDS = 4
# processes of scikit-learn's search, threads of ours
N_WORKERS = 2
MEMBERS = (1, 4, 16, 32, 64)
BATCHED, ONE_BY_ONE = "batched, two threads", "GridSearchCV, two processes"
BATCHED_ON_GPU = "batched, on the GPU"


def cubic():
    """The 20 polynomials of 10 rows."""
    return make_cubic(n_tasks=20, n_rows=10, random_state=0)


def model_of(bunch, device="cpu", **settings):
    """The estimator as it comes, on a device that does not depend on the machine."""
    return MultiTaskHypernetRegressor(
        task_id=bunch.task_id, metadata=bunch.metadata, random_state=0, device=device, **settings
    )


def grid(n_candidates):
    """Candidates that differ in learning rate and weight decay."""
    n_rates = int(np.sqrt(n_candidates))
    while n_candidates % n_rates:
        n_rates -= 1
    return {
        "learning_rate_init": np.geomspace(5e-4, 5e-3, n_rates).tolist(),
        "alpha": np.geomspace(1e-5, 1e-1, n_candidates // n_rates).tolist(),
    }


def folds(bunch):
    """The same splits for every search."""
    return TaskKFold(bunch.task_id, N_FOLDS, shuffle=True, random_state=0)


# seconds and scores


def contenders(bunch, candidates, settings):
    """The searches, by name."""
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


def scores(search):
    """Scores on all splits, one row per candidate."""
    results = search.cv_results_
    return np.column_stack([results[f"split{k}_test_score"] for k in range(search.n_splits_)])


def measure(name, bunch, setting, settings, n_candidates, n_repeats):
    """Run the searches in turn.

    Returns
    -------
    list of dict
        One per run: what ran, seconds on the wall, largest difference of a score to those of
        scikit-learn's search in the same turn.
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
    """Ratios of scikit-learn's search to ours, within a turn.

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


# memory


def jobs_for(n_members, n_epochs):
    """Jobs of a search on the first split of Cubic, which differ in their learning rates."""
    bunch = cubic()
    rows, _ = next(folds(bunch).split(bunch.data))
    rates = np.geomspace(5e-4, 5e-3, n_members).tolist()
    models = [
        model_of(bunch, early_stopping=False, max_iter=n_epochs, learning_rate_init=rate)
        for rate in rates
    ]
    job = models[0]._job(bunch.data.iloc[rows], bunch.target.iloc[rows])
    return [replace(job, estimator=model) for model in models]


def peak_of_a_run(n_members):
    """Megabytes that a run of `n_members` members takes at most."""
    train(*_ready(2, 1))
    ready = _ready(n_members, 3)
    with PeakMemory() as memory:
        train(*ready)
    return memory.megabytes


def _ready(n_members, n_epochs):
    jobs = jobs_for(n_members, n_epochs)
    return jobs, build_module(jobs)


def peak_of_a_search(n_candidates, n_epochs, max_members, device="cpu"):
    """Gigabytes that the process of a search holds at most, those on the GPU, and its seconds."""
    bunch = cubic()
    model = model_of(bunch, device=device, early_stopping=False, max_iter=n_epochs)
    search = BatchedGridSearchCV(
        model, grid(n_candidates), cv=folds(bunch), max_members=max_members, refit=False
    )
    with PeakMemory() as memory:
        before = memory._resident()
        start = time.perf_counter()
        search.fit(bunch.data, bunch.target)
        seconds = time.perf_counter() - start
    assert np.isfinite(scores(search)).all()
    on_gpu = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    return before / 1e9 + memory.megabytes / 1e3, on_gpu / 1e9, seconds


def in_a_process(function, *arguments):
    """What a function returns in a process of its own, whose memory nobody has used before."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def measure_memory(n_few, n_many, n_candidates, n_epochs):
    """Memory of members, and of a search with very many of them.

    Returns
    -------
    list of dict
    """
    few, many = (in_a_process(peak_of_a_run, n) for n in (n_few, n_many))
    rows = [
        {
            "what": f"megabytes per member, {n_few} to {n_many} members",
            "got": (many - few) / (n_many - n_few),
        },
        {
            "what": "megabytes per member, as estimated for max_members='auto'",
            "got": bytes_per_member(jobs_for(1, 1)[0]) / 1e6,
        },
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


# the floor


def work(job):
    """Least multiply-adds and bytes of one member's step on Cubic.

    Products are counted three times: forward, and backward for each of their two arguments.
    Bytes are those of what does not stay in registers: generated weights and their gradients
    are written once each and read twice each, activations likewise; parameters, gradients, two
    moments and averages are read, and all but the gradients written; gradients are written once.

    Returns
    -------
    list of dict
        "least": weights are generated task by task from the factors. "as computed": the full map
        of each generator is built once a step, and blocks have empty places.
    """
    module = build_module([job])
    n_rows, counts = len(job.train), np.bincount(job.train.tasks)
    n_batch = -(-n_rows // -(-n_rows // job.batch_rows()))
    n_blocks, length, n_slots = block_shape(n_batch, torch.as_tensor(counts))
    width = module.embeddings.shape[2] + len(job.tables.metadata_names)
    n_parameters = sum(p.numel() for p in module.parameters())
    generated = sum((a + 1) * b for a, b in module.shapes)
    skip = (module.shapes[0][0] + 1) * module.n_outputs
    widths = sum(b for _, b in module.shapes)
    size = torch.finfo(torch.get_default_dtype()).bits / 8
    steps = []
    for kind, places in (("least", n_batch), ("as computed", n_blocks * length)):
        products = n_slots * width * (generated + skip) + places * (generated + skip)
        numbers = 6 * n_slots * (generated + skip) + 6 * places * widths + 10 * n_parameters
        elementwise = 0
        if kind == "as computed":
            # A C, times B; backward for the three factors
            elementwise = 8 * width * generated
            # two products written and read, the map read thrice, its gradient written, read thrice
            numbers += 11 * width * generated
            # weights are gathered for the blocks, and their gradients scattered
            numbers += 4 * n_blocks * (generated + skip)
        steps.append(
            {
                "count": kind,
                "million_multiply_adds": (3 * products + elementwise) / 1e6,
                "megabytes": numbers * size / 1e6,
            }
        )
    return steps


def measure_floor(n_epochs, n_repeats):
    """Milliseconds per member and step, and what the machine could do.

    Returns
    -------
    list of dict
    """
    job = jobs_for(1, 1)[0]
    n_batches = -(-len(job.train) // job.batch_rows())
    rows, least = [], None
    for step in work(job):
        products = 2 * step["million_multiply_adds"] / GIGAFLOPS
        moves = step["megabytes"] / GIGABYTES_PER_SECOND
        least = least or products + moves
        rows.append({**step, "milliseconds": products + moves})
        rows[-1] |= {"of_it_products": products, "of_it_moves": moves}
    torch.set_num_threads(1)

    def runs(n_members):
        def prepare():
            ready = _ready(n_members, n_epochs)
            return lambda: train(*ready)

        return prepare

    timed = {n_members: runs(n_members) for n_members in MEMBERS}
    time_interleaved(timed, 1)
    for n_members, seconds in time_interleaved(timed, n_repeats).items():
        milliseconds = 1000 * seconds.median() / (n_members * n_batches * n_epochs)
        line = {"count": f"measured, {n_members} members", "milliseconds": milliseconds}
        rows.append({**line, "times_the_least": milliseconds / least})
    return rows


def show(table):
    """Print a table."""
    print(table.to_string(index=False, float_format="%.4g", na_rep=""), end="\n\n", flush=True)


def main():
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few candidates, epochs and repeats")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--candidates", type=int, default=16)
    parser.add_argument("--cubic-epochs", type=int, default=60)
    parser.add_argument("--high-school-epochs", type=int, default=30)
    parser.add_argument(
        "--parts",
        nargs="+",
        default=["speed", "memory", "floor"],
        choices=["speed", "memory", "floor"],
    )
    arguments = parser.parse_args()
    stopping = {
        "cubic": {"max_iter": 300, "n_iter_no_change": 20},
        "high school": {"max_iter": 40, "n_iter_no_change": 5},
    }
    members = {"n_few": 100, "n_many": 500, "n_candidates": 250, "n_epochs": 5}
    floor = {"n_epochs": 20, "n_repeats": 5}
    if arguments.quick:
        arguments.repeats, arguments.candidates = 1, 4
        arguments.cubic_epochs, arguments.high_school_epochs = 3, 1
        stopping = {name: {"max_iter": 2, "n_iter_no_change": 1} for name in stopping}
        members = {"n_few": 10, "n_many": 50, "n_candidates": 10, "n_epochs": 2}
        floor = {"n_epochs": 3, "n_repeats": 1}
    suffix = "_gpu" if torch.cuda.is_available() else ""
    if "floor" in arguments.parts:
        table = pd.DataFrame(measure_floor(**floor))
        show(table)
        save(
            table,
            f"batched_search{suffix}_floor",
            counts=f"one member, one step of Cubic; {GIGAFLOPS:g} GFLOP/s in products, "
            f"{GIGABYTES_PER_SECOND:g} GB/s in all else",
            timing=f"processor time of {floor['n_epochs']} epochs on one thread, median of "
            f"{floor['n_repeats']} interleaved repeats",
        )
    if "memory" in arguments.parts:
        table = pd.DataFrame(measure_memory(**members))
        show(table)
        save(table, f"batched_search{suffix}_memory")
    if "speed" not in arguments.parts:
        return
    torch.set_num_threads(N_WORKERS)
    bunches = {"cubic": cubic(), "high school": load_high_school()}
    n_epochs = {"cubic": arguments.cubic_epochs, "high school": arguments.high_school_epochs}
    rows = []
    for name, bunch in bunches.items():
        fixed = {"early_stopping": False, "max_iter": n_epochs[name]}
        for setting, settings in (("fixed epochs", fixed), ("early stopping", stopping[name])):
            rows += measure(name, bunch, setting, settings, arguments.candidates, arguments.repeats)
    runs = pd.DataFrame(rows)
    ratios = pd.DataFrame(compare(runs))
    show(ratios)
    notes = {
        "timing": f"seconds on the wall of {arguments.candidates} candidates on {N_FOLDS} folds, "
        f"without the fit of the best one; {arguments.repeats} interleaved repeats, ratios within "
        "a repeat",
        "epochs": ", ".join(f"{name} {n}" for name, n in n_epochs.items()),
        "early stopping": ", ".join(
            f"{name} at most {s['max_iter']} epochs, patience {s['n_iter_no_change']}"
            for name, s in stopping.items()
        ),
    }
    if torch.cuda.is_available():
        notes["gpu"] = torch.cuda.get_device_name()
    save(runs, f"batched_search{suffix}", **notes)
    save(ratios, f"batched_search{suffix}_ratios", **notes)


if __name__ == "__main__":
    main()
