"""Downloads, against a server on this machine and, where they are at hand, the real files."""

import hashlib
import os
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from skmtl.datasets import (
    _download,
    fetch_algorithms,
    fetch_cubic,
    fetch_robot_arm,
    fetch_water_quality,
)

# The files as published, in one folder; without them the tests that need them are skipped.
PUBLISHED = Path(
    os.environ.get(
        "SKMTL_TEST_PUBLISHED",
        Path(__file__).parents[3] / "shared" / "data" / "mth_datasets",
    )
)

# Two tasks of two rows, as the real files have them: numbers, not names, link rows and tasks.
FILES = {
    "cubic/cubic_data.csv": "x,task,label\n0.5,0,1.0\n0.0,0,2.0\n-1.0,1,3.0\n1.0,1,4.0\n",
    "cubic/cubic_metadata.csv": (
        "a,b,c,d,_task,_task_name,_task_count\n"
        "0.1,0.2,0.3,0.4,1,later,2\n"
        "0.5,0.6,0.7,0.8,0,sooner,2\n"
    ),
    "robot_arm/robot_arm_data.csv": (
        "x,y,label1,label2,label3,task\n"
        "0.1,0.2,-1.0,-2.0,0.5,0\n"
        "0.3,0.4,-1.5,-2.5,-0.5,1\n"
        ",,,,,\n"
        ",,,,,\n"
    ),
    "robot_arm/robot_arm_metadata.csv": (
        "l1,l2,l3,_task,_task_name,_task_count\n"
        "0.1,0.2,0.3,0,1,500\n0.4,0.5,0.6,1,0,500\n0.7,0.8,0.9,2,2,500\n"
    ),
    "water_quality/water_quality_data.csv": (
        "label,task,0,1\n1.0,0,0.1,0.2\n2.0,1,0.3,0.4\n3.0,2,0.5,0.6\n"
    ),
    "water_quality/water_quality_metadata.csv": (
        "_task,_task_name,_task_country,depth,area,_task_count\n"
        "0,Erie,Canada,1.5,2.5,1\n1,Erie,USA,3.5,4.5,1\n2,Vänern,Sweden,5.5,6.5,1\n"
    ),
}


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve a folder and record the requested paths instead of printing them."""

    requested = ()

    def log_message(self, *arguments):
        self.requested.append(self.path)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve a folder instead of the real address; yield it and the list of requested paths."""
    pytest.importorskip("pooch")
    folder = tmp_path / "server"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    monkeypatch.setattr(QuietHandler, "requested", [])
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(_download, "BASE_URL", f"http://127.0.0.1:{httpd.server_port}/")
        sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in FILES.items()}
        monkeypatch.setattr(_download, "REGISTRY", sums)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("SKMTL_DATA", raising=False)
        yield folder, QuietHandler.requested
        httpd.shutdown()
        thread.join()


def test_download_once_and_join_by_task_number(server, tmp_path):
    _, requested = server
    home = tmp_path / "home"
    bunch = fetch_cubic(data_home=home)
    assert requested == ["/cubic/cubic_data.csv", "/cubic/cubic_metadata.csv"]
    expected = pd.DataFrame(
        {
            "x": [0.5, 0.0, -1.0, 1.0],
            "task": [0, 0, 1, 1],
            "a": [0.5, 0.5, 0.1, 0.1],
            "b": [0.6, 0.6, 0.2, 0.2],
            "c": [0.7, 0.7, 0.3, 0.3],
            "d": [0.8, 0.8, 0.4, 0.4],
        }
    )
    assert_frame_equal(bunch.data, expected)
    assert bunch.target.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert bunch.target.name == "y"
    assert (bunch.task_id, bunch.feature_names, bunch.metadata) == ("task", ["x"], list("abcd"))

    again = fetch_cubic(data_home=home, download_if_missing=False)
    assert_frame_equal(again.data, expected)
    assert len(requested) == 2


def test_blank_lines_and_surplus_tasks_are_dropped(server, tmp_path):
    bunch = fetch_robot_arm(data_home=tmp_path)
    assert bunch.data["task"].tolist() == [0, 1]
    assert bunch.data["length_1"].tolist() == [0.1, 0.4]
    assert bunch.target["angle_3"].tolist() == [0.5, -0.5]


def test_lakes_that_share_a_name_are_distinguished(server, tmp_path):
    bunch = fetch_water_quality(data_home=tmp_path)
    assert bunch.data["lake"].tolist() == ["Erie (Canada)", "Erie (USA)", "Vänern"]
    assert bunch.feature_names == ["band_0", "band_1"]
    assert bunch.metadata == ["depth", "area"]


def test_as_arrays(server, tmp_path):
    bunch = fetch_water_quality(data_home=tmp_path, as_frame=False)
    expected = [[0.1, 0.2, 0, 1.5, 2.5], [0.3, 0.4, 1, 3.5, 4.5], [0.5, 0.6, 2, 5.5, 6.5]]
    assert bunch.data.dtype == np.float64
    assert bunch.data.tolist() == expected
    assert bunch.target.tolist() == [1.0, 2.0, 3.0]
    assert (bunch.task_id, bunch.metadata) == (2, [3, 4])
    assert bunch.feature_names == ["band_0", "band_1"]
    assert bunch.column_names == ["band_0", "band_1", "lake", "depth", "area"]
    assert bunch.target_names == ["chlorophyll"]
    assert bunch.task_names == ["Erie (Canada)", "Erie (USA)", "Vänern"]

    arms = fetch_robot_arm(data_home=tmp_path, as_frame=False)
    assert arms.target.shape == (2, 3)
    assert arms.target_names == ["angle_1", "angle_2", "angle_3"]


def test_folder_is_argument_then_variable_then_cache(server, tmp_path, monkeypatch):
    import pooch

    folders = [tmp_path / name for name in ("argument", "variable", "cache")]
    argument, variable, cache = folders
    monkeypatch.setattr(pooch, "os_cache", lambda project: cache)

    def filled():
        return [(folder / "cubic" / "cubic_data.csv").exists() for folder in folders]

    fetch_cubic()
    assert filled() == [False, False, True]
    monkeypatch.setenv("SKMTL_DATA", str(variable))
    fetch_cubic()
    assert filled() == [False, True, True]
    fetch_cubic(data_home=str(argument))
    assert filled() == [True, True, True]


def test_wrong_checksum_is_an_error(server, tmp_path):
    folder, _ = server
    (folder / "cubic" / "cubic_data.csv").write_text("something else")
    with pytest.raises(ValueError, match=r"SHA256 hash .* does not match"):
        fetch_cubic(data_home=tmp_path / "home")
    assert not (tmp_path / "home" / "cubic" / "cubic_data.csv").exists()


def test_spoilt_file_is_replaced(server, tmp_path):
    spoilt = tmp_path / "cubic" / "cubic_data.csv"
    spoilt.parent.mkdir()
    spoilt.write_text("something else")
    with pytest.raises(OSError, match="not the published file.*download_if_missing=False"):
        fetch_cubic(data_home=tmp_path, download_if_missing=False)
    assert len(fetch_cubic(data_home=tmp_path).data) == 4
    assert spoilt.read_text() == FILES["cubic/cubic_data.csv"]


def test_no_download_without_permission(server, tmp_path):
    _, requested = server
    with pytest.raises(OSError, match=r"cubic_data.csv does not exist.*download_if_missing=False"):
        fetch_cubic(data_home=tmp_path, download_if_missing=False)
    assert requested == []


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r'pooch.*pip install "skmtl\[fetch\]"'):
        fetch_cubic()


@pytest.fixture
def published(tmp_path):
    """A data home that holds the real files."""
    pytest.importorskip("pooch")
    if not PUBLISHED.is_dir():
        pytest.skip("the published files are not at hand")
    for name in _download.REGISTRY:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(PUBLISHED / path.name, path)
    return {"data_home": tmp_path, "download_if_missing": False}


@pytest.mark.parametrize(
    ("fetch", "shape", "n_tasks", "n_features", "n_metadata"),
    [
        (fetch_algorithms, (528, 29), 24, 20, 8),
        (fetch_cubic, (50_000, 6), 100, 1, 4),
        (fetch_robot_arm, (25_000, 6), 50, 2, 3),
        (fetch_water_quality, (2439, 28), 88, 16, 11),
    ],
)
def test_published_sizes(published, fetch, shape, n_tasks, n_features, n_metadata):
    bunch = fetch(**published)
    assert bunch.data.shape == shape
    assert len(bunch.target) == shape[0]
    assert bunch.data[bunch.task_id].nunique() == n_tasks
    assert (len(bunch.feature_names), len(bunch.metadata)) == (n_features, n_metadata)
    assert list(bunch.data.columns) == [*bunch.feature_names, bunch.task_id, *bunch.metadata]
    assert "CC BY 4.0" in bunch.DESCR
    assert "IJCAI 2024" in bunch.DESCR

    arrays = fetch(**published, as_frame=False)
    assert arrays.data.shape == shape
    assert np.isfinite(arrays.data).all()
    names = np.array(arrays.task_names)[arrays.data[:, arrays.task_id].astype(int)]
    assert names.tolist() == bunch.data[bunch.task_id].tolist()
    np.testing.assert_array_equal(
        arrays.data[:, arrays.metadata], bunch.data[bunch.metadata].to_numpy(dtype=float)
    )
    np.testing.assert_array_equal(arrays.target, bunch.target.to_numpy())


def test_published_cubic_follows_its_formula(published):
    bunch = fetch_cubic(**published)
    x, coefficients = bunch.data["x"], bunch.data[bunch.metadata]
    powers = np.vander(x, 4)
    residual = bunch.target - (powers * coefficients.to_numpy()).sum(axis=1)
    assert residual.std() == pytest.approx(0.1, abs=0.001)
    assert bunch.data["task"].dtype.kind == "i"


def test_published_arms_reach_their_positions(published):
    bunch = fetch_robot_arm(**published)
    directions = np.cumsum(bunch.target.to_numpy(), axis=1)
    lengths = bunch.data[bunch.metadata].to_numpy()
    end = np.stack([(lengths * f(directions)).sum(axis=1) for f in (np.cos, np.sin)], axis=1)
    # The files are rounded to nine digits. A wrong join of lengths would be far off.
    np.testing.assert_allclose(bunch.data[["x", "y"]], end, rtol=0, atol=1e-7)


def test_published_names(published):
    algorithms, lakes = fetch_algorithms(**published), fetch_water_quality(**published)
    assert {"C4.5", "CART", "KNN"} < set(algorithms.data["algorithm"])
    tree = algorithms.data.drop_duplicates("algorithm").set_index("algorithm")["tree"]
    assert (tree["CART"], tree["KNN"]) == (1, 0)
    counts = lakes.data["lake"].value_counts()
    assert counts["Lake Erie (United States of America (the))"] == 510
    assert counts["Lake Erie (Canada)"] == 49
    assert (counts["Taihu"], counts.min()) == (198, 5)
