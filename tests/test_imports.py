"""What modules of the package may import: read from the source, functions included."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import skmtl

ROOT = Path(skmtl.__file__).parent

# From top to bottom: a package imports from those below it only. One reason each.
LAYERS = {
    "skmtl": "the root hands out the main estimators",
    "display": "draws what everything below has learned, recorded or measured",
    "grouping": "trains and scores groups of tasks with the tools for searches",
    "model_selection": "trains estimators of this package in batches",
    "_estimators": "join tables, networks, training and metrics",
    "metrics": "find the tasks of an estimator in its table",
    "_data": "scales targets with the constants of the losses that are trained",
    "architectures": "build modules and say how they are trained, and read no table",
    "training": "runs modules and asks weightings for weights",
    "callbacks": "observe training, and sum over tasks as modules do",
    "weighting": "turns losses or gradients into weights, wherever they come from",
    "nn": "holds torch modules, which know nothing of the rest",
    "_persistence": "turns objects of classes that others register into files, and knows none",
    "datasets": "return tables, which know nothing of estimators",
    "_docstrings": "can be used anywhere",
    "_version": "can be imported anywhere",
    "exceptions": "can be raised anywhere",
    "_sklearn_compat": "can be imported anywhere",
}

# Pairs of modules that break a rule; as of 2026-11. This list must only shrink.
KNOWN = set()


def module_name(path):
    return ".".join(("skmtl", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    )


MODULES = {module_name(path): path for path in ROOT.rglob("*.py")}


def imported_names(path):
    """Yield the full name of each module or object that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: use absolute imports"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(path):
    """Return the modules of this package that a file imports."""
    modules = set()
    for name in imported_names(path):
        if name.partition(".")[0] == "skmtl":
            while name not in MODULES:
                name = name.rpartition(".")[0]
            modules.add(name)
    return modules


IMPORTS = {name: imported_modules(path) for name, path in MODULES.items()}


def layer(module):
    parts = module.split(".")
    return list(LAYERS).index(parts[1] if len(parts) > 1 else "skmtl")


def circle_in(graph):
    """Return the modules of a circle of imports, the first one again at the end; [] if none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_private_names_of_scikit_learn_are_imported_in_one_file():
    private = {
        f"{module}: {name}"
        for module, path in MODULES.items()
        if module != "skmtl._sklearn_compat"
        for name in imported_names(path)
        if name.partition(".")[0] == "sklearn" and "._" in name
    }
    assert not private, "import these from skmtl._sklearn_compat"


def test_no_private_name_of_scikit_learn_is_imported_in_vain():
    import skmtl._sklearn_compat as compat

    used = {name for path in MODULES.values() for name in imported_names(path)}
    unused = {name for name in compat.__all__ if f"skmtl._sklearn_compat.{name}" not in used}
    assert not unused


def test_every_package_has_a_layer():
    packages = {module.split(".")[1] for module in MODULES if "." in module}
    assert packages <= set(LAYERS)


def test_imports_point_down():
    upward = {
        (module, other)
        for module, others in IMPORTS.items()
        for other in others
        if layer(other) < layer(module)
    }
    assert upward <= KNOWN


def test_no_circle():
    graph = {a: {b for b in others if (a, b) not in KNOWN} for a, others in IMPORTS.items()}
    assert circle_in(graph) == []
    # the search itself finds circles
    assert circle_in({"a": {"b"}, "b": {"a"}}) == ["a", "b", "a"]


def test_known_exceptions_still_exist():
    assert all(b in IMPORTS.get(a, ()) for a, b in KNOWN), "remove what has been mended from KNOWN"
