"""The documentation is true: docstrings are complete, examples run, tables repeat the code."""

import importlib
import importlib.util
import inspect
import math
import re
from pathlib import Path

import pandas as pd
import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate
from packaging.version import Version

import skmtl
import skmtl.architectures
import skmtl.callbacks
import skmtl.datasets
import skmtl.display
import skmtl.exceptions
import skmtl.grouping
import skmtl.metrics
import skmtl.model_selection
import skmtl.weighting

ROOT = Path(__file__).parents[1]


def extension(name):
    """Import an extension of the documentation, which is no package."""
    path = ROOT / "docs" / "extensions" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


outputs, results = extension("outputs"), extension("results")

# codes of numpydoc that may be absent, with the reason
NOT_NEEDED = {
    "function": {
        "SA01": "data sets do not refer to each other",
    },
    "method": {
        "ES01": "what a method does fits into one line",
        "EX01": "the example of its class shows it",
        "RT03": "`self` says all",
        "SA01": "its class refers to what is related",
    },
    "exception": {
        "ES01": "when it is raised fits into one line",
        "EX01": "nobody raises it on purpose",
        "SA01": "the API page lists them together",
    },
    "architecture": {
        "SA01": "its base class refers to the estimators, and the guide compares them all",
    },
}
MODULES = [
    skmtl,
    skmtl.architectures,
    skmtl.callbacks,
    skmtl.datasets,
    skmtl.display,
    skmtl.exceptions,
    skmtl.grouping,
    skmtl.metrics,
    skmtl.model_selection,
    skmtl.weighting,
]


def public_names():
    """Full name and kind of everything public, methods included."""
    for module in MODULES:
        for name in module.__all__:
            obj = getattr(module, name)
            full = f"{module.__name__}.{name}"
            if not inspect.isclass(obj):
                yield full, "function"
                continue
            yield full, kind_of(obj)
            if issubclass(obj, Exception):
                continue
            for method, function in inspect.getmembers(obj, inspect.isfunction):
                # scikit-learn documents what it adds itself
                ours = not method.startswith("_") and function.__module__.startswith("skmtl")
                if ours and not inherits_docstring(obj, method):
                    yield f"{full}.{method}", "method"


def kind_of(cls):
    if issubclass(cls, Exception):
        return "exception"
    return "architecture" if module_of(cls) == "skmtl.architectures" else "class"


def module_of(cls):
    return ".".join(cls.__module__.split(".")[:2])


def inherits_docstring(cls, method):
    """Whether a method without a docstring overrides a documented one of skmtl."""
    bases = [base for base in cls.__mro__[1:] if base.__module__.startswith("skmtl")]
    documented = any(getattr(vars(base).get(method), "__doc__", None) for base in bases)
    return documented and not getattr(cls, method).__doc__


def public_classes():
    return [full for full, kind in public_names() if kind in ("class", "architecture")]


def resolve(full):
    module, name = full.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


def pages():
    """The files that hold Python code, and README.md, which should."""
    documents = sorted((ROOT / "docs").glob("*.rst"))
    return [ROOT / "README.md", *(p for p in documents if "block:: python" in p.read_text("utf-8"))]


@pytest.mark.parametrize(("full", "kind"), list(public_names()))
def test_docstring_is_complete(full, kind):
    errors = [
        f"{code}: {message}"
        for code, message in validate(full)["errors"]
        if code not in NOT_NEEDED.get(kind, {})
    ]
    assert not errors, f"{full}\n" + "\n".join(errors)


@pytest.mark.parametrize("full", public_classes())
def test_class_documents_the_parameters_of_its_constructor_in_order(full):
    cls = resolve(full)
    documented = NumpyDocString(inspect.getdoc(cls))["Parameters"]
    parameters = inspect.signature(cls).parameters
    assert [p.name for p in documented] == list(parameters)
    for p in documented:
        if parameters[p.name].default is inspect.Parameter.empty:
            continue
        stated = re.search(r"default=(.+)$", p.type)
        assert stated, f"{full}: {p.name} does not say its default"
        # evaluated, since 1e-4 and 0.0001 are the same
        default = eval(stated[1], {"nan": math.nan})
        same = default == parameters[p.name].default or repr(default) == "nan"
        assert same, f"{full}: default of {p.name}"


def test_api_page_lists_everything_public():
    listed = re.findall(r"^   (\w+)$", (ROOT / "docs" / "api.rst").read_text("utf-8"), re.MULTILINE)
    public = [name for module in MODULES for name in module.__all__]
    assert sorted(listed) == sorted(public)


@pytest.mark.parametrize(
    ("page", "estimator", "at_least"),
    [
        ("hypernet.rst", skmtl.MultiTaskHypernetRegressor, 15),
        ("gumbel.rst", skmtl.GumbelMatrixRegressor, 15),
        ("grouping.rst", skmtl.grouping.MTGNet, 12),
        ("pareto.rst", skmtl.ParetoHypernet, 15),
        ("weighting.rst", skmtl.weighting.Affinity, 3),
    ],
)
def test_table_from_paper_to_parameter_states_the_defaults(page, estimator, at_least):
    text = (ROOT / "docs" / page).read_text("utf-8")
    table = text.split(":class: paper-to-parameter")[1].split("\n\n\n")[0]
    stated = dict(re.findall(r"(?<!`)`(\w+)=([^`]+)`", table))
    assert len(stated) > at_least
    defaults = inspect.signature(estimator).parameters
    assert {name: eval(value) for name, value in stated.items()} == {
        name: defaults[name].default for name in stated
    }


# a page must not show code that warns; what libraries deprecate among themselves is theirs, and a
# page that predicts new tasks on purpose need not silence the warning everywhere
@pytest.mark.filterwarnings("ignore::skmtl.exceptions.UnknownTasksWarning")
@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_code_blocks_run_and_show_what_they_print(path, tmp_path, monkeypatch, no_window):
    text = path.read_text("utf-8")
    blocks = outputs.blocks_of(text, path.suffix)
    assert len(blocks) == len(re.findall("block:: python|```python", text)), "a block was not found"
    monkeypatch.chdir(tmp_path)
    for block, printed, figures in outputs.run(blocks, path):
        where = f"{path.name}, line {block.line}: run docs/extensions/outputs.py"
        # older versions print tables in other ways
        if block.shown == "" or Version(pd.__version__) >= Version("3"):
            assert outputs.agree(block.shown, printed), f"{where}, it prints\n{printed}"
        assert bool(figures) == bool(block.images), where
        assert all((outputs.FIGURES / name).exists() for name in block.images), where


@pytest.mark.parametrize(
    ("text", "suffix", "expected"),
    [
        ("a\n```shell\nls\n```\n```python\nx = 1\n```\n", ".md", [(6, "x = 1\n", "", [])]),
        ("```python\nx\n```\n\n```text\n1\n\n2\n```\n", ".md", [(2, "x\n", "1\n\n2\n", [])]),
        (
            ".. code-block:: python\n   :linenos:\n\n   x = 1\n\n   y = 2\n\nend\n",
            ".rst",
            [(4, "x = 1\n\ny = 2\n", "", [])],
        ),
        (
            ".. code-block:: python\n\n   x\n\n"
            ".. code-block:: none\n   :class: output\n\n     a\n   1\n\n"
            ".. figure:: _static/pages/x.png\n   :alt: x\n\n.. code-block:: python\n\n   y\n",
            ".rst",
            [(3, "x\n", "  a\n1\n", ["x.png"]), (16, "y\n", "", [])],
        ),
        (".. code-block:: shell\n\n   ls\n", ".rst", []),
    ],
)
def test_code_blocks_are_found(text, suffix, expected):
    blocks = outputs.blocks_of(text, suffix)
    assert [(b.line, b.source, b.shown, b.images) for b in blocks] == expected


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a  1.00\nb -2.0\n", "a 1.04\nb  -2.10\n", True),
        ("nothing is printed", "", False),
        ("", "1", False),
        ("a 1", "b 1", False),
        ("a 1", "a 1.3", False),
        ("mean 0.01", "mean -0.01", True),
    ],
)
def test_numbers_of_outputs_are_compared_loosely(shown, printed, same):
    assert outputs.agree(shown, printed) == same


@pytest.mark.parametrize("suffix", [".md", ".rst"])
def test_outputs_are_written_once(suffix, tmp_path):
    path = tmp_path / f"page{suffix}"
    block = (
        "```python\nprint(1)\n```\n"
        if suffix == ".md"
        else ".. code-block:: python\n\n   print(1)\n"
    )
    path.write_text(f"first\n\n{block}\nlast\n")
    outputs.write(path)
    once = path.read_text()
    shown = [b.shown for b in outputs.blocks_of(once, suffix)]
    assert shown == ["1\n"]
    assert once.startswith("first\n")
    assert once.endswith("\nlast\n")
    outputs.write(path)
    assert path.read_text() == once
    # what is stale is replaced
    path.write_text(once.replace("print(1)", "print(5)"))
    outputs.write(path)
    assert path.read_text() == once.replace("1", "5")


def results_shown():
    """Page, file of results, columns shown and rows chosen of every directive ``results``."""
    pattern = re.compile(r"^\.\. results:: (\S+)\n((?: +:.*\n)*)\n((?: +\S.*\n)+)", re.MULTILINE)
    docs = ROOT / "docs"
    for page in sorted([*docs.glob("*.rst"), *docs.glob("studies/*.rst")]):
        text = page.read_text("utf-8")
        actual = list(pattern.finditer(text))
        assert len(actual) == text.count(".. results::"), page.name
        for match in actual:
            columns = [line.split(" = ")[0].strip() for line in match[3].splitlines()]
            rows = re.search(r":rows: (.*)", match[2])
            yield page.name, match[1], columns, rows and rows[1]


@pytest.mark.parametrize(("page", "name", "columns", "rows"), list(results_shown()))
def test_results_shown_are_in_their_files(page, name, columns, rows):
    study, file = name.split("/")
    table = pd.read_csv(ROOT / "benchmarks" / study / "results" / f"{file}.csv", comment="#")
    assert set(columns) <= set(table), page
    assert len(table.query(rows) if rows else table), page


def test_numbers_within_sentences_are_in_their_files():
    pages = (ROOT / "docs" / name for name in ("measured.rst", "choose.rst"))
    text = "\n".join(page.read_text("utf-8") for page in pages)
    shown = re.findall(r":value:`([^`]+)`", text)
    assert len(shown) == text.count(":value:")
    assert len(shown) > 10
    for number in shown:
        assert re.fullmatch(r"[\d.]+%?", results.value(number)), number


@pytest.mark.parametrize("rows", ["mean_rank > 0", "method == 'nobody'"])
def test_a_number_is_that_of_one_row(rows):
    with pytest.raises(ValueError, match="rows of real_tables/ranks are left"):
        results.value(f"real_tables/ranks | {rows} | mean_rank | .1f")
