"""The parameters of single architectures, and errors about them."""

import numpy as np
import pytest

from tests._architectures import build, shared_bottom
from tests._tables import METADATA, make_schools

QUICK = {"task_id": "school", "max_iter": 2, "random_state": 0}


@pytest.fixture(scope="module")
def schools():
    return make_schools(n_schools=4, n_rows=12)


@pytest.mark.parametrize(
    ("one_hot", "metadata", "one_hot_expected"),
    [("auto", None, True), ("auto", METADATA, False), (True, METADATA, True), (False, None, False)],
)
def test_one_hot_inputs_of_a_single_network(one_hot, metadata, one_hot_expected, schools):
    model = build("SingleNetwork", one_hot=one_hot, metadata=metadata, **QUICK)
    model.fit(*schools)
    assert (model.module_.codes is not None) == one_hot_expected


def test_a_naive_network_is_one_function_for_all_tasks(schools):
    X, y = schools
    X = X.drop(columns=METADATA)
    model = build("SingleNetwork", one_hot=False, **QUICK).fit(X, y)
    swapped = X.assign(school=X["school"].to_numpy()[::-1])
    np.testing.assert_array_equal(model.predict(X), model.predict(swapped))
    model.set_params(unseen_tasks="average")
    np.testing.assert_allclose(model.predict(X), model.predict(X.assign(school="new")))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("SharedBottom", {"hidden_layer_sizes": (8, 0)}, "tuple of positive integers"),
        ("SharedBottom", {"head_layer_sizes": (8.5,)}, "head_layer_sizes must be a tuple"),
        ("CrossStitch", {"hidden_layer_sizes": ()}, "needs at least 1"),
        ("CrossStitch", {"self_weight": 1.5}, "'self_weight' parameter"),
        ("Sluice", {"hidden_layer_sizes": ()}, "needs at least 1"),
        ("Sluice", {"hidden_layer_sizes": (8, 4)}, "one width only"),
        ("Sluice", {"n_subspaces": 5}, "multiple of 5"),
        ("MultiGateMixture", {"hidden_layer_sizes": ()}, "needs at least 1"),
        ("ProgressiveExtraction", {"hidden_layer_sizes": ()}, "needs at least 1"),
        ("MaximumRoaming", {"hidden_layer_sizes": ()}, "needs at least 1"),
        ("MaximumRoaming", {"active_fraction": 0.0}, "'active_fraction' parameter"),
        ("TensorFactorization", {"factorization": "cp"}, "'factorization' parameter"),
        ("MultilinearRelation", {"relations": "some"}, "'relations' parameter"),
    ],
)
def test_errors_say_what_is_wrong(name, settings, message, schools):
    model = build(name, **QUICK, **settings)
    with pytest.raises(ValueError, match=message):
        model.fit(*schools)


@pytest.mark.parametrize(
    "name", ["SingleNetwork", "IndependentNetworks", "SharedBottom", "TensorFactorization"]
)
def test_no_hidden_layers_are_a_linear_model(name, schools):
    X, y = schools
    model = build(name, hidden_layer_sizes=(), **QUICK).fit(X, y)
    one = X.head(1).loc[lambda f: f.index.repeat(3)].assign(age=[10.0, 12.0, 14.0])
    low, middle, high = model.predict(one)
    assert middle == pytest.approx((low + high) / 2)


def test_a_number_is_one_layer(schools):
    model = shared_bottom(hidden_layer_sizes=7, head_layer_sizes=3, **QUICK)
    model.fit(*schools)
    shapes = [layer.weight.shape[-1] for layer in model.module_.trunk.layers]
    assert shapes == [7]
    assert [layer.weight.shape[-1] for layer in model.module_.heads.layers] == [3, 1]


def test_masks_roam_in_training_and_go_on_with_it(schools):
    model = build(
        "MaximumRoaming",
        **{**QUICK, "max_iter": 5, "roaming_interval": 4, "weight_averaging": 0.0},
        warm_start=True,
        early_stopping=False,
        hidden_layer_sizes=(20,),
        active_fraction=0.5,
    )
    model.fit(*schools)
    steps, masks = model.module_.steps.item(), model.module_.masks()[0]
    assert steps > 0
    assert (masks.sum(2) == 10).all()
    model.fit(*schools)
    assert model.module_.steps.item() == 2 * steps
    assert (model.module_.masks()[0] != masks).any()


def test_relations_pull_heads_together(schools):
    """With a strong prior, heads are smaller."""
    X, y = schools
    norms = []
    for alpha in (0.0, 100.0):
        model = build(
            "MultilinearRelation",
            **{**QUICK, "max_iter": 60},
            relation_alpha=alpha,
            relation_interval=10,
        ).fit(X, y)
        norms.append(model.module_.heads.layers[0].weight.norm().item())
    assert norms[1] < 0.5 * norms[0]
