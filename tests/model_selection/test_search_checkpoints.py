"""Searches and `fit_many` that are killed go on with what is not finished, bitwise identical."""

import pytest
from sklearn.base import clone

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import make_cubic
from skmtl.model_selection import BatchedGridSearchCV, BatchedRandomizedSearchCV, fit_many
from tests._kills import assert_resumes

CUBIC = make_cubic(n_tasks=4, n_rows=12, random_state=0)
MODEL = MultiTaskHypernetRegressor(
    task_id=CUBIC.task_id, hidden_layer_sizes=(4,), max_iter=3, base="boosting", random_state=0
)
GRID = {"alpha": [0, 0.1], "hidden_layer_sizes": [(4,), (5,)]}


@pytest.fixture
def one_thread(monkeypatch):
    """Steps are counted, and threads would stop at different ones."""
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)


@pytest.mark.parametrize("settings", [{}, {"early_stopping": False, "base": None}])
def test_a_killed_search_goes_on(settings, tmp_path, monkeypatch, one_thread):
    model = clone(MODEL).set_params(**settings)

    def call(folder):
        search = BatchedGridSearchCV(model, GRID, cv=2, max_members=2, checkpoint_dir=folder)
        search.fit(CUBIC.data, CUBIC.target)
        return search.cv_results_["mean_test_score"], search.predict(CUBIC.data)

    assert_resumes(monkeypatch, tmp_path, call, shares=[0.1, 0.8])


def test_killed_fits_in_one_run_go_on(tmp_path, monkeypatch):
    models = [clone(MODEL).set_params(random_state=seed) for seed in range(3)]

    def call(folder):
        fitted = [clone(model) for model in models]
        fit_many(fitted, CUBIC.data, CUBIC.target, max_members=2, checkpoint_dir=folder)
        return [model.predict(CUBIC.data) for model in fitted]

    assert_resumes(monkeypatch, tmp_path, call, shares=[0.7])


def test_processes_leave_no_files(tmp_path):
    search = BatchedGridSearchCV(MODEL, GRID, cv=2, n_jobs=2, checkpoint_dir=tmp_path)
    plain = BatchedGridSearchCV(MODEL, GRID, cv=2, n_jobs=2).fit(CUBIC.data, CUBIC.target)
    search.fit(CUBIC.data, CUBIC.target)
    scores = [s.cv_results_["mean_test_score"].tolist() for s in (search, plain)]
    assert scores[0] == scores[1]
    assert not list(tmp_path.iterdir())


def test_searches_that_cannot_go_on_are_refused(tmp_path):
    search = BatchedRandomizedSearchCV(MODEL, GRID, n_iter=1, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="random_state of the search"):
        search.fit(CUBIC.data, CUBIC.target)
    # the folder of the estimator counts, too
    model = clone(MODEL).set_params(random_state=None, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="needs a random_state"):
        BatchedGridSearchCV(model, GRID).fit(CUBIC.data, CUBIC.target)
    with pytest.raises(ValueError, match="needs a random_state"):
        fit_many([model], CUBIC.data, CUBIC.target)
