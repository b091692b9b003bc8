"""Several levels of ids: what is planted is found, and every part of the contract holds."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

import skmtl
from skmtl import MultiTaskHypernetClassifier, MultiTaskHypernetRegressor, MultiTaskRegressor
from skmtl.architectures import Hypernetwork, SharedBottom
from skmtl.display import LossSurfaceDisplay, PerTaskScoreDisplay, TaskEmbeddingDisplay
from skmtl.metrics import make_mt_scorer, mt_mean_squared_error, per_task_score
from skmtl.model_selection import BatchedGridSearchCV, LeaveTasksOut
from tests._tables import NETWORK, QUICK

CROSSED, NESTED = ["store", "product"], ["district", "school"]
LEARNS = {
    "embedding_dim": 3,
    "hidden_layer_sizes": (8,),
    "learning_rate_init": 3e-2,
    "max_iter": 30,
    "early_stopping": True,
    "random_state": 0,
    **NETWORK,
}


def make_crossed(n_rows=600, n_stores=12, n_products=15, noise=0.3, random_state=0):
    """Sales with an effect of the store and one of the product; size describes stores."""
    generator = np.random.default_rng(random_state)
    size = np.round(generator.normal(size=n_stores), 2)
    stores = 2 * size + generator.normal(size=n_stores)
    products = 2 * generator.normal(size=n_products)
    store = generator.integers(0, n_stores, n_rows)
    product = generator.integers(0, n_products, n_rows)
    X = pd.DataFrame(
        {
            "store": store,
            "product": [f"p{number:02d}" for number in product],
            "price": generator.normal(size=n_rows),
            "size": size[store],
        }
    )
    truth = pd.Series(stores[store] + products[product] + X["price"])
    return X, truth + noise * generator.normal(size=n_rows), truth


def make_nested(n_districts=10, n_schools=8, n_rows=6, random_state=0):
    """Pupils of schools in districts; schools have the numbers 0, 1, ... in every district."""
    generator = np.random.default_rng(random_state)
    districts = 2 * generator.normal(size=n_districts)
    schools = districts[:, None] + 0.5 * generator.normal(size=(n_districts, n_schools))
    district = np.repeat(np.arange(n_districts), n_schools * n_rows)
    school = np.tile(np.repeat(np.arange(n_schools), n_rows), n_districts)
    X = pd.DataFrame({"district": district, "school": school})
    X["x"] = generator.normal(size=len(X))
    truth = pd.Series(schools[district, school] + X["x"])
    return X, truth + 0.3 * generator.normal(size=len(X)), truth


@pytest.fixture(scope="module")
def sales():
    return make_crossed()


def quick(kind="crossed", cls=MultiTaskHypernetRegressor, **changes):
    task_id = CROSSED if kind == "crossed" else NESTED
    return cls(**{"task_id": task_id, "task_levels": kind, **NETWORK, **QUICK, **changes})


def learns(kind="crossed", cls=MultiTaskHypernetRegressor, **changes):
    task_id = CROSSED if kind == "crossed" else NESTED
    return cls(**{"task_id": task_id, "task_levels": kind, **LEARNS, **changes})


def mse(a, b):
    return float(np.mean((np.asarray(a) - np.asarray(b)) ** 2))


# what is learned


def test_a_new_product_of_a_known_store(sales):
    X, y, truth = sales
    X = X.drop(columns="size")
    new = X["product"] > "p12"
    model = learns(unseen_tasks="average").fit(X[~new], y[~new])
    assert mse(model.predict(X[~new]), truth[~new]) < 0.2
    # all that can be known of it is its store and its price
    products = truth - model.predict(X)
    within = products[new].groupby(X["product"][new]).var().mean()
    assert within < 0.4


def test_new_combinations_of_known_ids_are_known(sales):
    X, y, truth = sales
    X = X.drop(columns="size")
    held_out = (X["store"] % 3 == 0) & (X["product"].str[-1] < "5")
    model = learns().fit(X[~held_out], y[~held_out])
    joint = learns(task_levels="joint", unseen_tasks="average").fit(X[~held_out], y[~held_out])
    crossed = mse(model.predict(X[held_out]), truth[held_out])
    assert crossed < 0.4
    assert crossed < 0.2 * mse(joint.predict(X[held_out]), truth[held_out])


def test_a_new_school_of_a_known_district():
    X, y, truth = make_nested()
    new = X["school"] == 7
    models = {kind: learns("nested", task_levels=kind) for kind in ("nested", "joint")}
    errors = {}
    for kind, model in models.items():
        model.set_params(unseen_tasks="average").fit(X[~new], y[~new])
        errors[kind] = mse(model.predict(X[new]), truth[new])
    # 0.25 is the variance between schools of a district, 4 that between districts
    assert errors["nested"] < 0.6
    assert errors["nested"] < 0.3 * errors["joint"]
    # an unknown school of an unknown district is one of the average
    other = X[new].assign(district=99)
    assert np.ptp(models["nested"].predict(other.assign(x=0.0))) == 0


def test_three_nested_levels():
    X, y, truth = make_nested(n_districts=8, n_schools=6, n_rows=8)
    X.insert(0, "region", X["district"] % 2)
    truth, y = truth + 4 * X["region"], y + 4 * X["region"]
    task_id = ["region", "district", "school"]
    new = (X["school"] == 5) | (X["district"] == 7)
    model = learns("nested", task_id=task_id, unseen_tasks="average").fit(X[~new], y[~new])
    assert mse(model.predict(X[~new]), truth[~new]) < 0.3
    school = X["school"].eq(5) & X["district"].ne(7)
    assert mse(model.predict(X[school]), truth[school]) < 1
    sizes = {name: len(ids) for name, ids in model.tasks_.items()}
    assert sizes == {"region": 2, "district": 7, "school": 35}


def test_metadata_of_a_level_predict_its_new_ids(sales):
    X, y, truth = sales
    new = X["store"] >= 10
    described = learns(metadata={"store": ["size"]}).fit(X[~new], y[~new])
    table = X.groupby("store")[["size"]].first()
    by_table = learns(metadata={"store": table}).fit(X[~new].drop(columns="size"), y[~new])
    average = learns(unseen_tasks="average").fit(X[~new].drop(columns="size"), y[~new])
    errors = [
        mse(model.predict(X[new].drop(columns=drop)), truth[new])
        for model, drop in ((described, []), (by_table, "size"), (average, "size"))
    ]
    assert errors[0] < 0.6 * errors[2]
    assert_allclose(errors[1], errors[0], rtol=1e-6)
    assert described.metadata_names_ == [("store", "size")]


def test_classes(sales):
    X, y, _ = sales
    X = X.drop(columns="size")
    for n_classes in (2, 3):
        labels = pd.qcut(y, n_classes, labels=list("abc"[:n_classes])).astype(str)
        model = learns(cls=MultiTaskHypernetClassifier, unseen_tasks="average").fit(X, labels)
        assert model.score(X, labels) > 0.8
        new = X.head(5).assign(product="new")
        assert_allclose(model.predict_proba(new).sum(axis=1), 1)
        with pytest.raises(AttributeError, match="all of them may have all classes"):
            _ = model.classes_per_task_


# ids that are known, described, unknown or missing


def test_any_mixture_of_ids_in_one_call(sales):
    X, y, _ = sales
    model = quick(
        metadata={"store": ["size"]}, unseen_tasks={"product": "average"}, missing_id="average"
    ).fit(X, y)
    rows = X.head(6).copy()
    rows["store"] = [0, 0, 99, 99, np.nan, np.nan]
    rows["product"] = ["p01", "new", "p01", None, "p01", None]
    together = model.predict(rows)
    alone = np.concatenate([model.predict(rows.iloc[[n]]) for n in range(6)])
    assert_allclose(together, alone, rtol=1e-12)
    # an unknown product is as a missing one, and both are the average
    other = rows.assign(product=["p01", None, "p01", "new", "p01", "other"])
    assert_array_equal(model.predict(other), together)


def test_new_ids_are_errors_level_by_level(sales):
    X, y, _ = sales
    X = X.drop(columns="size")
    model = quick(unseen_tasks={"store": "average"}).fit(X, y)
    model.predict(X.head(2).assign(store=99))
    with pytest.raises(ValueError, match=r"1 id\(s\) of the level 'product'.*\['new'\].*adapt"):
        model.predict(X.head(2).assign(product="new"))
    with pytest.raises(ValueError, match="'p01 ' is another spelling of 'p01'"):
        model.predict(X.head(2).assign(product="p01 "))
    with pytest.raises(ValueError, match="the level 'store'"):
        model.set_params(unseen_tasks="error").predict(X.head(2).assign(store=99))


def test_missing_ids(sales):
    X, y, truth = sales
    X = X.drop(columns="size")
    gone = X.assign(store=X["store"].where(X.index % 5 > 0))
    with pytest.raises(ValueError, match="'store' has 120 missing"):
        quick().fit(gone, y)
    model = learns(missing_id="average").fit(gone, y)
    assert len(model.tasks_["store"]) == 12
    known = gone["store"].notna()
    assert mse(model.predict(gone[known]), truth[known]) < 0.5
    # a missing id is not a new one
    assert len(model.predict(gone.head(5))) == 5
    with pytest.raises(ValueError, match="were not seen in fit"):
        model.predict(gone.head(5).assign(store=99))
    with pytest.raises(ValueError, match="no row has an id in the column 'store'"):
        quick(missing_id="average").fit(X.assign(store=np.nan), y)


@pytest.mark.parametrize("metadata", [None, ["size"], "table"])
def test_missing_ids_of_joint_tasks_in_predict(sales, metadata):
    X, y, _ = sales
    if metadata == "table":
        metadata = X.groupby("store")[["size"]].first()
    model = quick(task_id="store", task_levels="joint", metadata=metadata, missing_id="average")
    X = X.drop(columns="product" if isinstance(metadata, list) else ["product", "size"])
    model.fit(X, y)
    gone = X.head(4).assign(store=[np.nan, 0, np.nan, 1])
    assert_array_equal(model.predict(gone)[[1, 3]], model.predict(gone.iloc[[1, 3]]))
    if metadata is None:
        unseen = clone(model).set_params(unseen_tasks="average").fit(X, y)
        assert_array_equal(model.predict(gone), unseen.predict(gone.fillna({"store": 99})))
    with pytest.raises(ValueError, match="missing"):
        model.set_params(missing_id="error").predict(gone)


# what else follows


@pytest.mark.parametrize("kind", ["crossed", "nested"])
@pytest.mark.parametrize("n_members", [1, 2])
def test_tasks_embeddings_and_copies(kind, n_members, tmp_path):
    X, y, _ = make_crossed(200) if kind == "crossed" else make_nested(4, 4)
    model = quick(kind, n_members=n_members, unseen_tasks="average").fit(X, y)
    task_id = CROSSED if kind == "crossed" else NESTED
    assert list(model.tasks_) == list(model.task_embeddings_) == task_id
    for name, table in model.task_embeddings_.items():
        assert table.index.equals(model.tasks_[name])
        assert table.shape[1] == 3 * n_members
    if kind == "nested":
        assert model.tasks_["school"].tolist()[:2] == [(0, 0), (0, 1)]
    # nothing is kept of the combinations of the rows
    assert model._tables.combinations is None
    model.save(tmp_path / "model")
    for other in (
        pickle.loads(pickle.dumps(model)),
        skmtl.load(tmp_path / "model"),
        copy.deepcopy(model),
    ):
        assert_array_equal(other.predict(X), model.predict(X))
    assert "product" in model._repr_html_() or kind == "nested"
    shuffled = X.sample(frac=1, random_state=0)
    again = clone(model).fit(shuffled, y[shuffled.index])
    assert_array_equal(again.predict(X), model.predict(X))
    with pytest.raises(AttributeError, match="several levels"):
        _ = model.task_weights_


def test_members_are_independent(sales):
    X, y, _ = sales
    model = quick(n_members=3, early_stopping=False).fit(X, y)
    first = quick(n_members=1, early_stopping=False).fit(X, y)
    assert_allclose(model.predict_members(X)[0], first.predict(X), rtol=1e-5, atol=1e-5)


def test_each_level_has_its_own_settings(sales):
    X, y, _ = sales
    model = quick(
        embedding_dim={"store": 2, "product": 4},
        embedding_alpha={"store": 0.1, "product": 1000.0},
        embedding_init={"store": "common", "product": "apart"},
        max_iter=20,
    )
    tables = model.fit(X, y).task_embeddings_
    assert tables["store"].shape == (12, 2)
    assert tables["product"].shape == (15, 4)


def test_searches_give_the_same_scores_as_one_by_one(sales):
    X, y, _ = sales
    model = quick(metadata={"store": ["size"]}, unseen_tasks="average")
    grid = {"embedding_alpha": [0.1, {"store": 1.0, "product": 0.1}], "embedding_dim": [2, 3]}
    cv = LeaveTasksOut(CROSSED, 3, level="product", random_state=0)
    batched = BatchedGridSearchCV(model, grid, cv=cv).fit(X, y)
    plain = GridSearchCV(model, grid, cv=cv).fit(X, y)
    assert_allclose(
        batched.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"], atol=1e-5
    )
    assert_allclose(batched.predict(X), plain.predict(X), atol=1e-4)


def test_leave_tasks_out_of_one_level(sales):
    X, _, _ = sales
    for train, test in LeaveTasksOut(CROSSED, 3, level="product", random_state=0).split(X):
        assert not set(X["product"].iloc[train]) & set(X["product"].iloc[test])
        assert set(X["store"].iloc[train]) >= set(X["store"].iloc[test])
    with pytest.raises(ValueError, match="level='city' is not among"):
        next(LeaveTasksOut(CROSSED, level="city").split(X))


def test_scores_by_level(sales):
    X, y, _ = sales
    model = quick(max_iter=5).fit(X, y)
    scores = per_task_score(model, X, y, level="product")
    assert scores.index.tolist() == sorted(X["product"].unique())
    scorer = make_mt_scorer(mt_mean_squared_error, level="store")
    error = (y - model.predict(X)) ** 2
    assert scorer(model, X, y) == pytest.approx(-error.groupby(X["store"]).mean().mean())
    assert cross_val_score(model, X, y, cv=3, scoring=scorer).shape == (3,)
    with pytest.raises(ValueError, match="choose a level, one of .*'store', 'product'"):
        per_task_score(model, X, y)
    with pytest.raises(ValueError, match="level='city' is not among"):
        per_task_score(model, X, y, level="city")
    X, y, _ = make_nested(3, 3)
    nested = quick("nested").fit(X, y)
    assert len(per_task_score(nested, X, y, level="school")) == 9
    assert len(per_task_score(nested, X, y, level="district")) == 3


@pytest.mark.parametrize("form", ["columns", "table"])
def test_importance_of_metadata_by_level(sales, form):
    X, y, _ = sales
    luck = np.random.default_rng(5).normal(size=15)
    X = X.assign(luck=luck[X["product"].str[1:].astype(int)])
    metadata = {"store": ["size"], "product": ["luck"]}
    if form == "table":
        metadata = {
            "store": X.groupby("store")[["size"]].first(),
            "product": X.groupby("product")[["luck"]].first(),
        }
        X = X.drop(columns=["size", "luck"])
    new = X["store"] >= 9
    model = learns(metadata=metadata, unseen_tasks="average").fit(X[~new], y[~new])
    table = model.metadata_importance(X[new], y[new], random_state=0)
    assert table.index.tolist() == [("store", "size"), ("product", "luck")]
    assert table["importance_mean"].iloc[0] > 0.1
    assert abs(table["importance_mean"].iloc[1]) < 0.1


def test_embeddings_of_a_level_are_drawn(sales, no_window):
    X, y, _ = sales
    model = quick(metadata={"store": ["size"]}).fit(X, y)
    display = TaskEmbeddingDisplay.from_estimator(model, level="store", color="size")
    assert display.positions.index.equals(model.tasks_["store"])
    for level in (None, "city"):
        with pytest.raises(ValueError, match="several levels of ids: choose one of"):
            TaskEmbeddingDisplay.from_estimator(model, level=level)


def test_scores_of_a_level_are_drawn(sales, no_window):
    X, y, _ = sales
    first, second = quick().fit(X, y), quick(random_state=1).fit(X, y)
    display = PerTaskScoreDisplay.from_estimators(first, second, X, y, level="store")
    assert display.first.index.equals(first.tasks_["store"])


def test_validation_rows_of_the_caller(sales):
    X, y, _ = sales
    new = X["store"] >= 10
    model = quick(metadata={"store": ["size"]}, max_iter=5, early_stopping=True)
    model.fit(X[~new], y[~new], X_val=X[new], y_val=y[new])
    assert model.history_["valid_loss"].notna().all()
    assert len(model.tasks_["store"]) == 10
    with pytest.raises(ValueError, match="the level 'store' are not among the training rows"):
        quick().fit(X[~new], y[~new], X_val=X[new], y_val=y[new])


def test_warm_start(sales):
    X, y, _ = sales
    model = quick(warm_start=True).fit(X, y)
    before = model.history_["train_loss"].iloc[-1]
    assert model.fit(X, y).history_["train_loss"].iloc[0] < before
    with pytest.raises(ValueError, match="the ids of X are not those"):
        model.fit(X[X["store"] > 3], y[X["store"] > 3])


def test_a_base_sees_the_ids_of_every_level(sales):
    X, y, truth = sales
    model = learns(base="boosting", unseen_tasks="average").fit(X, y)
    assert len(model._blend.bases[0].encoders[0].levels) == 2 if model._blend.bases[0] else True
    assert mse(model.predict(X), truth) < 0.3
    model.predict(X.head(3).assign(product="new", store=99))


# updates


@pytest.mark.parametrize("kind", ["crossed", "nested"])
def test_adapt_moves_ids_of_all_levels(kind):
    X, y, _ = make_crossed(400) if kind == "crossed" else make_nested(6, 6)
    outer, inner = CROSSED if kind == "crossed" else NESTED
    X = X.drop(columns="size", errors="ignore")
    model = learns(kind, unseen_tasks="average", n_members=2, max_iter=20).fit(X, y)
    of_inner = X[inner] == X.loc[X[outer] == 1, inner].iloc[0]
    here = (X[outer] == 1) & of_inner
    rest = (X[outer] != 1) & ~of_inner
    unseen = X[rest].head(3).assign(**{outer: 99})
    others, before, new = (model.predict(rows) for rows in (X[rest], X[here], unseen))
    undo = copy.deepcopy(model)
    model.adapt(X[here], y[here] + 3)
    assert_array_equal(model.predict(X[rest]), others)
    assert (model.predict(X[here]) > before + 0.1).all()
    assert_array_equal(model.predict(unseen), new)
    assert_array_equal(undo.predict(X[here]), before)


def test_adapt_learns_new_ids_of_any_level(sales):
    X, y, truth = sales
    X = X.drop(columns="size")
    new = X["product"] > "p12"
    model = learns(unseen_tasks="average").fit(X[~new], y[~new])
    few = new & (X.groupby("product").cumcount() < 10)
    rest = new & ~few
    before = mse(model.predict(X[rest]), truth[rest])
    model.adapt(X[few], y[few])
    assert model.tasks_["product"].tolist()[-2:] == ["p13", "p14"]
    assert mse(model.predict(X[rest]), truth[rest]) < 0.3 * before
    # and further rows of them
    model.adapt(X[rest].head(5), y[rest].head(5))
    assert len(model.tasks_["product"]) == 15
    assert len(model.task_embeddings_["product"]) == 15
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.partial_fit(X[few], y[few]).predict(X).shape, (600,))


def test_labels_without_noise():
    X, _, _ = make_crossed(200)
    y = pd.Series(np.zeros(200))
    model = quick(embedding_alpha="estimated", unseen_tasks="average").fit(X, y)
    model.adapt(X.head(20), y.head(20))
    assert_allclose(model.predict(X), 0, atol=0.5)


# what cannot be


MISTAKES = {
    "one column": ({"task_id": "store"}, "several columns of ids"),
    "sampling": ({"task_sampling": "sqrt"}, "task_sampling='sqrt' draws tasks.*leave it at 'rows'"),
    "weighting": ({"task_weighting": "uncertainty"}, "weighs tasks.*sample_weight"),
    "affinity": ({"record_affinity": True}, "record_affinity=True records"),
    "held out": ({"hold_out_tasks": True}, "hold_out_tasks=True holds out"),
    "metadata": ({"metadata": ["size"]}, r"metadata must be a dict by level.*\{'store'"),
    "level of metadata": ({"metadata": {"city": ["size"]}}, "'city' that is no level"),
    "auto": ({"metadata": {"store": "auto"}}, "which level a column describes"),
    "level of unseen": ({"unseen_tasks": {"shop": "average"}}, "'shop' that is no level"),
    "value of unseen": ({"unseen_tasks": {"store": "mean"}}, "'error' or 'average' by level"),
    "no dim": ({"embedding_dim": {"store": 2}}, "no value for the level 'product'"),
    "nested dims": (
        {"task_levels": "nested", "embedding_dim": {"store": 2, "product": 3}},
        "nested levels share an embedding_dim",
    ),
    "joint dims": (
        {"task_levels": "joint", "embedding_dim": {"store": 2, "product": 3}},
        "embedding_dim is a dict by level",
    ),
    "nothing": ({"embedding_dim": 0}, "nothing that tells ids apart"),
    "kind": ({"task_levels": "mixed"}, "'task_levels' parameter"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name, sales):
    X, y, _ = sales
    changes, message = MISTAKES[name]
    with pytest.raises(ValueError, match=message):
        quick(**changes).fit(X, y)


def test_architectures_that_have_no_levels(sales):
    X, y, _ = sales
    settings = {"task_id": CROSSED, "task_levels": "crossed", "max_iter": 2, "random_state": 0}
    with pytest.raises(ValueError, match="SharedBottom has no levels.*MultiTaskHypernetRegressor"):
        MultiTaskRegressor(SharedBottom(), **settings).fit(X, y)
    with pytest.raises(ValueError, match="has no levels"):
        skmtl.GumbelMatrixRegressor(**settings).fit(X, y)
    model = MultiTaskRegressor(Hypernetwork(embedding_dim=3), **settings).fit(X, y)
    assert list(model.task_embeddings_) == CROSSED


def test_displays_and_comparisons_of_tasks_refuse_levels(sales, no_window):
    X, y, _ = sales
    model = quick().fit(X, y)
    with pytest.raises(ValueError, match="compare is for one level of ids"):
        skmtl.compare(model, X, y)
    for report in (model.task_effects, lambda: model.explain_task(1)):
        with pytest.raises(ValueError, match="for one level of ids.*variance_shares"):
            report()
    with pytest.raises(AttributeError, match="feature_importances_"):
        _ = model.feature_importances_
    with pytest.raises(ValueError, match="a row belongs to several ids at once"):
        quick(intervals=True).fit(X, y)
    with pytest.raises(ValueError, match="several levels of ids.*per_task_score"):
        LossSurfaceDisplay.from_estimator(model, X, y)


def test_metadata_of_new_ids_must_be_in_the_table(sales):
    X, y, _ = sales
    table = X.groupby("store")[["size"]].first()
    X = X.drop(columns="size")
    model = quick(metadata={"store": table}).fit(X, y)
    with pytest.raises(ValueError, match=r"no row for 1 task\(s\): \[99\]"):
        model.predict(X.head(1).assign(store=99))
    grown = pd.concat([table, pd.DataFrame({"size": 0.0}, index=[99])])
    model.set_params(metadata={"store": grown}).predict(X.head(1).assign(store=99))


# embeddings as random effects


def test_estimated_embeddings_of_many_small_tasks():
    generator = np.random.default_rng(0)
    task = np.repeat(np.arange(150), 6)
    X = pd.DataFrame({"x": generator.normal(size=900), "task": task})
    truth = generator.normal(size=150)[task] + X["x"]
    y = truth + generator.normal(size=900)
    settings = {**LEARNS, "embedding_dim": 5, "early_stopping": "refit"}
    models = {
        alpha: MultiTaskHypernetRegressor("task", **settings, embedding_alpha=alpha).fit(X, y)
        for alpha in (0.0, 0.3, "estimated")
    }
    errors = {alpha: mse(model.predict(X), truth) for alpha, model in models.items()}
    # the mixed model that knows the variances has 1 / 7
    assert errors["estimated"] < 0.17
    assert errors["estimated"] < 0.95 * min(errors[0.0], errors[0.3])


@pytest.mark.parametrize("kind", ["crossed", "nested"])
def test_estimated_embeddings_of_levels(kind):
    X, _, truth = make_crossed(400) if kind == "crossed" else make_nested(20, 8, 6)
    X = X.drop(columns="size", errors="ignore")
    y = truth + np.random.default_rng(1).normal(size=len(X))
    settings = {"unseen_tasks": "average", "max_iter": 20, "n_members": 2}
    plain = learns(kind, **settings).fit(X, y)
    model = learns(kind, **settings, embedding_alpha="estimated").fit(X, y)
    assert mse(model.predict(X), truth) < min(0.2, 1.2 * mse(plain.predict(X), truth))
    part = {CROSSED[0]: "estimated", CROSSED[1]: 1.0}
    with pytest.raises(ValueError, match="'estimated' for all levels or a number for each"):
        quick(embedding_alpha=part).fit(*make_crossed(100)[:2])


@pytest.mark.parametrize("loss", ["absolute_error", "poisson", "classes"])
def test_estimated_embeddings_of_other_losses(sales, loss):
    X, y, _ = sales
    X = X.drop(columns="size")
    settings = {"embedding_alpha": "estimated", "max_iter": 5}
    if loss == "classes":
        labels = pd.qcut(y, 3, labels=list("abc")).astype(str)
        model = quick(cls=MultiTaskHypernetClassifier, **settings).fit(X, labels)
        assert model.score(X, labels) > 0.4
    else:
        counts = (y - y.min()).round()
        model = quick(loss=loss, **settings).fit(X, counts)
        assert model.score(X, counts) > 0


def test_estimated_embeddings_in_a_search_and_in_wide_form(sales):
    X, y, _ = sales
    grid = {"embedding_alpha": [0.3, "estimated"]}
    batched = BatchedGridSearchCV(quick(), grid, cv=2).fit(X, y)
    plain = GridSearchCV(quick(), grid, cv=2).fit(X, y)
    assert_allclose(
        batched.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"], atol=1e-4
    )
    both = np.column_stack([y, -y])
    with pytest.raises(ValueError, match="in wide form give a number"):
        MultiTaskHypernetRegressor(embedding_alpha="estimated").fit(X[["price"]], both)
