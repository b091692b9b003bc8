"""Data sets published with the paper on multi-task hypernetworks.

`_download.py` reads their files; this file names and documents their columns.
"""

import pandas as pd

from skmtl._docstrings import fill
from skmtl.datasets._bunch import as_arrays, build_bunch, document_sizes
from skmtl.datasets._download import read_files

_SHARED = {
    "parameters": """
Parameters
----------
data_home : str or path, default=None
    Folder of the files. By default the folder in the environment variable `SKMTL_DATA`, or else
    the user's cache folder.
as_frame : bool, default=True
    Whether to return pandas objects instead of numpy arrays and column positions.
download_if_missing : bool, default=True
    If False, raise an OSError instead of downloading.
""",
    "arrays": """
With `as_frame=False`, `data` and `target` are arrays of floats, `task_id` and `metadata` are
positions of columns, task ids are 0, 1, ..., and there are `column_names`, `target_names` and
`task_names`.
""",
    "licence": """
Data by O. Graffeuille and others, licensed under CC BY 4.0
(https://creativecommons.org/licenses/by/4.0/).
""",
    "paper": """
References
----------
.. [1] O. Graffeuille, Y. S. Koh, J. Wicker and M. Lehmann, "Remote Sensing for Water
   Quality: A Multi-Task, Metadata-Driven Hypernetwork Approach", IJCAI 2024.
   https://github.com/OGraffeuille/Multi-Task-Hypernetworks
""",
}


def _documented(*sizes, **options):
    """Return a decorator that fills in the shared parts of a docstring."""
    options["skip"] = "  # doctest: +SKIP"
    return lambda fetch: fill(document_sizes(fetch, *sizes, **options), **_SHARED)


@_documented(50000, 1, 4)
def fetch_cubic(*, data_home=None, as_frame=True, download_if_missing=True):
    """Fetch the published cubic polynomials: 100 tasks that their metadata determine.

    A row is one of 50,000 points, a task one of 100 polynomials with 500 points each. The target
    `y` is `a * x**3 + b * x**2 + c * x + d` plus Gaussian noise with a standard deviation of 0.1.

    The one feature is `x`. The task-id column is `task`, 0 to 99. Metadata are the coefficients
    `a`, `b`, `c` and `d`.

    {parameters}

    {returns}
        {arrays}

    See Also
    --------
    make_cubic : Generate any number of such polynomials, without a download.

    Notes
    -----
    {licence}
    Changed here: the label is called `y`, and metadata are joined to the rows.

    {paper}

    {examples}
    """
    rows, tasks = read_files("cubic", data_home, download_if_missing)
    table = _join(rows[["x"]], rows["task"], tasks[["a", "b", "c", "d"]])
    return _bunch(table, rows["label"].rename("y"), "task", fetch_cubic, as_frame)


@_documented(25000, 2, 3, target="DataFrame of shape (25000, 3)")
def fetch_robot_arm(*, data_home=None, as_frame=True, download_if_missing=True):
    """Fetch the published inverse kinematics of planar robot arms: 50 tasks, three targets.

    A row is one of 25,000 positions, a task one of 50 arms with 500 positions each. The targets
    are the angles of the arm's three joints, `angle_1`, `angle_2` and `angle_3`, in radians.

    The features are the position of the arm's end, `x` and `y`. The task-id column is `task`, 0
    to 49. Metadata are the lengths of the segments, `length_1`, `length_2` and `length_3`.

    {parameters}

    {returns}
        {arrays}

    See Also
    --------
    make_robot_arm : Generate any number of such arms, without a download; documents the formula.

    Notes
    -----
    {licence}
    Changed here: columns have longer names, metadata are joined to the rows, 24,353 blank lines at
    the end of the file and the metadata of 50 arms without rows are dropped.

    {paper}

    {examples}
    """
    rows, tasks = read_files("robot_arm", data_home, download_if_missing)
    joints = range(1, 4)
    lengths = {f"l{joint}": f"length_{joint}" for joint in joints}
    angles = {f"label{joint}": f"angle_{joint}" for joint in joints}
    table = _join(rows[["x", "y"]], rows["task"], tasks[list(lengths)].rename(columns=lengths))
    return _bunch(
        table, rows[list(angles)].rename(columns=angles), "task", fetch_robot_arm, as_frame
    )


@_documented(528, 20, 8)
def fetch_algorithms(*, data_home=None, as_frame=True, download_if_missing=True):
    """Fetch the results of 24 learning algorithms on the 22 data sets of the StatLog project.

    A row is one of 528 results, a task one of 24 algorithms with 22 results each. The target,
    `performance`, lies between 0 and 9.4; it is not documented how it was
    computed. Lower values seem to be better, since the algorithm that always predicts the default
    class is among the highest.

    The 20 features measure the data set of the result (such as `N` and `c`, numbers of rows and
    classes or their transforms); they keep the short names of the files, which are not
    documented. The task-id column is `algorithm`, a name such as "C4.5". Metadata are eight columns
    of zeros and ones for the families to which the authors of the data assigned an algorithm:
    `kernel`, `tree`, `inductive_tree`, `neural_network`, `nonparametric_statistics`,
    `classical_statistics`, `bayesian_statistics` and `rule_classifier`.

    {parameters}

    {returns}
        {arrays}

    Notes
    -----
    {licence}
    Their source is the StatLog project. Changed here: the label and the metadata have longer names,
    and metadata are joined to the rows.

    {paper}
    .. [2] P. Brazdil, J. Gama and B. Henery, "Characterizing the applicability of classification
       algorithms using meta-level learning", ECML 1994.

    {examples}
    """
    rows, tasks = read_files("algorithms", data_home, download_if_missing)
    families = {
        "Kernel": "kernel",
        "Tree": "tree",
        "Inductive Tree": "inductive_tree",
        "NN": "neural_network",
        "Stats: Non-Para": "nonparametric_statistics",
        "Stats: Classicla": "classical_statistics",
        "Stats: Bayes": "bayesian_statistics",
        "Rule Classifier": "rule_classifier",
    }
    table = _join(
        rows.drop(columns=["task", "label"]),
        rows["task"].rename("algorithm"),
        tasks[list(families)].rename(columns=families),
        names=tasks["_task_name"],
    )
    return _bunch(
        table, rows["label"].rename("performance"), "algorithm", fetch_algorithms, as_frame
    )


@_documented(2439, 16, 11)
def fetch_water_quality(*, data_home=None, as_frame=True, download_if_missing=True):
    """Fetch chlorophyll concentrations in 88 lakes and the colour of their water.

    A row is one of 2,439 measurements, a task one of 88 lakes with 5 to 510 measurements each,
    half of them with at most 16. The target, `chlorophyll`, measures the concentration of
    chlorophyll-a on a scale that is not documented and looks logarithmic, from 0.1 to 9.5.

    The 16 features `band_0` to `band_15` are reflectances of the water in bands of the visible
    and near-infrared light. The task-id column is `lake`, a name; where two lakes share a name,
    the country follows it in brackets. Metadata of a lake:

    - `depth`, `area`, `precipitation_local`: logarithms, judging by their values,
    - `water_temperature`: in degrees Celsius,
    - `pasture`, `cropland`: percentages of the land around it,
    - `elevation`: in metres, and `latitude`: in degrees,
    - `lake_type_1`, `lake_type_2`, `lake_type_3`: one of the three is 1.

    {parameters}

    {returns}
        {arrays}

    Notes
    -----
    {licence}
    Their sources are the collections GLORIA and LakeATLAS.
    Changed here: label and bands are renamed, and metadata are joined to the rows.

    {paper}
    .. [2] M. K. Lehmann et al., "GLORIA - A globally representative hyperspectral in situ dataset
       for optical sensing of water quality", Scientific Data 10, 2023.
    .. [3] B. Lehner et al., "Global hydro-environmental lake characteristics at high spatial
       resolution", Scientific Data 9, 2022.

    {examples}
    """
    rows, tasks = read_files("water_quality", data_home, download_if_missing)
    shared = tasks["_task_name"].duplicated(keep=False)
    in_country = tasks["_task_name"] + " (" + tasks["_task_country"] + ")"
    table = _join(
        rows.drop(columns=["task", "label"]).add_prefix("band_"),
        rows["task"].rename("lake"),
        tasks.drop(columns=[name for name in tasks if name.startswith("_")]),
        names=tasks["_task_name"].mask(shared, in_country),
    )
    return _bunch(table, rows["label"].rename("chlorophyll"), "lake", fetch_water_quality, as_frame)


def _bunch(table, target, task_id, source, as_frame):
    bunch = build_bunch(table, target, task_id=task_id, source=source)
    return bunch if as_frame else as_arrays(bunch)


def _join(features, task, metadata, names=None):
    """Join features, task ids and the metadata of each row, with names instead of numbers."""
    ids = task if names is None else task.map(names)
    return pd.concat([features, ids, metadata.loc[task].set_axis(task.index)], axis=1)
