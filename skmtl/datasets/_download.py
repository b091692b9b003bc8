"""Files of the four data sets published with the paper on multi-task hypernetworks.

The package `pooch` downloads each file once, verifies its SHA-256 checksum and caches it.
"""

from pathlib import Path

import pandas as pd

from skmtl.datasets._optional import import_extra

BASE_URL = (
    "https://raw.githubusercontent.com/OGraffeuille/Multi-Task-Hypernetworks/"
    "dc3a90bb7642f8ba965a7f3539dac99f2e14d283/data/"
)
_SUMS = {
    "algorithms_data": "b2e63908c6e1c275d1136038b8a64a6093a64f704993c68e895dabedcabee32d",
    "algorithms_metadata": "5987e061bc649a855bb0a44624477960721277d37ee53d732f0bb7d8e3e8a58f",
    "cubic_data": "b6e6543365743df0718a3785d34c9708ccaefc7e5d2d250ee51119cb9cf39785",
    "cubic_metadata": "4709acb4f72654663b9d345567dd1c0ac40fb046e872e385249d2048b493f605",
    "robot_arm_data": "7e7444d7f9c3618500b118cc6c27ec5611b14a14a6ac3011b3f1acfae32abaab",
    "robot_arm_metadata": "b18245250f24ca93080c541427dda69f93e911a1c7f03f809327a2e6efaa1944",
    "water_quality_data": "effd276ec5217ea7e1bd9ac8eb802d05a28ac9edc7c9fc3437649c214fbee5ab",
    "water_quality_metadata": "65e3ffc15d4f526c7c511b8d856d4a8ed9b73dcb969d876c3aeab4520b3cbf42",
}
REGISTRY = {f"{name.rpartition('_')[0]}/{name}.csv": digest for name, digest in _SUMS.items()}


def read_files(name, data_home, download_if_missing):
    """Return the rows of a data set, and its tasks indexed by number."""
    rows_path, tasks_path = (
        _local_file(f"{name}/{name}_{part}.csv", data_home, download_if_missing)
        for part in ("data", "metadata")
    )
    # The robot arm's file ends in thousands of lines of commas only.
    rows = pd.read_csv(rows_path).dropna(how="all")
    # Those lines make pandas read the task numbers as floats.
    rows["task"] = rows["task"].astype(int)
    # Rows are joined by task number, not by the names of the arms.
    return rows, pd.read_csv(tasks_path).set_index("_task")


def _local_file(file, data_home, download_if_missing):
    """Return the path of a file of the registry, downloading it if necessary."""
    pooch = import_extra("pooch", "fetch")
    store = pooch.create(
        path=pooch.os_cache("skmtl") if data_home is None else data_home,
        base_url=BASE_URL,
        registry=REGISTRY,
        # In pooch the variable overrides the path, but an explicit data_home has priority.
        env="SKMTL_DATA" if data_home is None else None,
    )
    path = Path(store.abspath) / file
    if not download_if_missing:
        if not path.exists():
            raise OSError(f"{path} does not exist and download_if_missing=False.")
        if pooch.file_hash(path) != REGISTRY[file]:
            raise OSError(f"{path} is not the published file and download_if_missing=False.")
    return store.fetch(file)
