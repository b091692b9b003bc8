"""How long the hypernetwork's row of Cubic takes: every setting of the grids, on every draw."""

import time

import joblib
import pandas as pd
import torch
from common.saving import save
from common.summaries import verdict
from hypernet_paper.data import load
from hypernet_paper.methods import COMMON, METADATA, METHODS, run
from hypernet_paper.tables import OURS, chosen_settings

MINUTES = 30


def _run(data_home, kind, settings, seeds):
    torch.set_num_threads(1)
    found = run(load("Cubic", data_home), OURS, METADATA[kind], [settings], seeds, refit=False)
    return found.drop(columns="choice").assign(metadata=kind, **settings)


def cubic_row(data_home, n_seeds, n_jobs):
    """Run both grids of table 2 in full, with and without metadata: 1,200 runs of 50 draws.

    Parameters
    ----------
    data_home : str or None
    n_seeds : int
        Draws of the rows.
    n_jobs : int
        Processes, of one thread each.
    """
    jobs = []
    for kind in METADATA:
        chosen = chosen_settings("Cubic", kind)
        rates = {name: chosen[name] for name in COMMON[0]}
        for settings in [*COMMON, *({**rates, **one} for one in METHODS[OURS].own)]:
            jobs.append((kind, settings))
    # small rates take longest
    jobs.sort(key=lambda job: job[1]["learning_rate_init"])
    start = time.perf_counter()
    found = joblib.Parallel(n_jobs, batch_size=1)(
        joblib.delayed(_run)(data_home, kind, settings, range(n_seeds)) for kind, settings in jobs
    )
    minutes = (time.perf_counter() - start) / 60
    rows = pd.concat(found, ignore_index=True)
    keys = ["metadata", *COMMON[0], *METHODS[OURS].own[0]]
    by_setting = rows.groupby(keys, sort=False, dropna=False)
    columns = ["epochs", "seconds", "valid_mse", "mse"]
    line = {"runs": len(rows), "processes": n_jobs, "minutes": minutes, "bound": MINUTES}
    line |= {"mean_epochs": rows["epochs"].mean(), "result": verdict(minutes <= MINUTES)}
    save(by_setting[columns].mean().reset_index(), "speed")
    save(pd.DataFrame([line]), "speed_summary")
    print(pd.DataFrame([line]).to_string(index=False, float_format="%.1f"))
