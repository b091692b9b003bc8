"""Four tables that mixed models are taught with, and the models that their sources fit."""

from skmtl.datasets import load_exam, load_high_school, load_radon, load_sleepstudy

# name: how to load it, columns of fixed effects, those of metadata, and random slopes
TABLES = {
    "sleepstudy": (load_sleepstudy, ["day"], [], "~day"),
    "radon": (load_radon, ["first_floor"], ["log_uranium"], None),
    "high_school": (load_high_school, ["ses"], ["mean_ses", "catholic"], "~ses"),
    "exam": (load_exam, ["reading_test"], ["mean_reading_test"], "~reading_test"),
}


def table(name):
    """Return a table, its target, the task id, features, metadata and the random formula."""
    load, features, metadata, random = TABLES[name]
    bunch = load()
    X = bunch.data[[bunch.task_id, *features, *metadata]]
    return X, bunch.target, bunch.task_id, features, metadata, random
