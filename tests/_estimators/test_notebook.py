"""How fitted estimators show themselves: `summary` and the HTML of notebooks."""

from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skmtl import GumbelMatrixClassifier, MultiTaskHypernetRegressor
from skmtl.datasets import make_cubic
from tests._architectures import build


def fitted(**changes):
    cubic = make_cubic(4, 12, random_state=0)
    settings = {"task_id": "task", "max_iter": 7, "random_state": 0, **changes}
    X = cubic.data[["x", "task"]].assign(task=cubic.data["task"].map("<lake {}>".format))
    return MultiTaskHypernetRegressor(**settings).fit(X, cubic.target)


class Balance(HTMLParser):
    """Counts what is opened and closed, and collects the text."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.lines = [], "", []

    def handle_starttag(self, tag, attrs):
        if tag == "polyline":
            self.lines.append(dict(attrs)["points"])
        if tag not in ("input", "br", "meta", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        self.text += data


def read(model):
    parser = Balance()
    parser.feed(model._repr_html_())
    parser.close()
    return parser


@pytest.mark.parametrize("n_members", [1, 3])
def test_summary_has_the_best_epoch_of_every_member(n_members):
    model = fitted(n_members=n_members)
    table = model.summary()
    assert table.index.tolist() == list(range(n_members))
    for member, row in table.iterrows():
        history = model.history_[model.history_["member"] == member].set_index("epoch")
        assert row["epochs"] == len(history)
        assert row["valid_loss"] == history["valid_loss"].min()
        assert history["valid_loss"].loc[row["best_epoch"]] == row["valid_loss"]
        assert row["train_loss"] == history["train_loss"].loc[row["best_epoch"]]


def test_summary_without_validation_rows_is_about_the_last_epoch():
    table = fitted(early_stopping=False).summary()
    assert table["best_epoch"].tolist() == [7]
    assert np.isnan(table["valid_loss"]).all()


def test_parameters_are_counted_for_one_member():
    cubic = make_cubic(3, 12, random_state=0)
    settings = {"hidden_layer_sizes": (5,), "max_iter": 2, "one_hot": True, "n_members": 2}
    model = build("SingleNetwork", task_id="task", **settings).fit(
        cubic.data[["x", "task"]], cubic.target
    )
    # x and three indicators to five units, five units to one output
    assert model.summary()["parameters"].tolist() == [(4 + 1) * 5 + (5 + 1)] * 2


def test_an_estimator_that_is_not_fitted_has_scikit_learns_html_only():
    model = MultiTaskHypernetRegressor()
    assert "skmtl-fitted" not in model._repr_html_()
    with pytest.raises(NotFittedError):
        model.summary()


@pytest.mark.parametrize("n_members", [1, 2])
def test_html_tells_what_was_learned(n_members):
    model = fitted(n_members=n_members)
    page = read(model)
    assert "MultiTaskHypernetRegressor" in page.text
    # names are text, not markup
    assert "4 (<lake 0>, <lake 1>, <lake 2>, <lake 3>)" in page.text
    assert f"members{n_members}" in page.text
    assert "device" + str(model.device_) in page.text
    assert "epochs7" in page.text
    # training and validation, an epoch a point, inside of the drawing
    assert len(page.lines) == 2
    for line in page.lines:
        points = np.array([point.split(",") for point in line.split()], dtype=float)
        assert points.shape == (7, 2)
        assert (np.diff(points[:, 0]) > 0).all()
        assert ((points >= 0) & (points <= [320, 90])).all()


def test_many_tasks_are_named_in_part():
    cubic = make_cubic(30, 6, random_state=0)
    model = MultiTaskHypernetRegressor("task", max_iter=1, random_state=0)
    page = read(model.fit(cubic.data[["x", "task"]], cubic.target))
    assert "30 (0, 1, 2, 3, 4, 5, 6, 7, …)" in page.text
    # one epoch is no curve
    assert page.lines == []


def test_other_estimators_show_themselves_too():
    cubic = make_cubic(3, 12, random_state=0)
    model = GumbelMatrixClassifier("task", layers=(4,), max_iter=3, random_state=0)
    page = read(model.fit(cubic.data[["x", "task"]], cubic.target > 0))
    assert "3 (0, 1, 2)" in page.text
    assert len(page.lines) == 2
