"""Sphinx settings; build with ``tox -e docs``."""

import sys
from pathlib import Path

import skmtl

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "skmtl"
author = "skmtl developers"
copyright = "2026, skmtl developers"
version = release = skmtl.__version__

# No intersphinx: the documentation has to build without a network.
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # formulae are drawn without a network, too
    "numpydoc",
    "results",
    "figures",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "extensions"]
default_role = "code"

autosummary_generate = True
autosummary_generate_overwrite = True
autodoc_typehints = "none"
# The class template lists members itself.
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = f"skmtl {release}"
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
}
html_static_path = ["_static"]
html_css_files = ["pages.css"]
# pages without others below them have no navigation to show
html_sidebars = {name: [] for name in ("index", "start", "search", "genindex")}

# The gallery appears with its first page: sphinx-gallery insists on a header file.
here = Path(__file__).parent
if (here.parent / "examples" / "GALLERY_HEADER.rst").exists():
    extensions.append("sphinx_gallery.gen_gallery")
    sphinx_gallery_conf = {
        "examples_dirs": "../examples",
        "gallery_dirs": "auto_examples",
        "filename_pattern": r"/plot_",
        "within_subsection_order": "FileNameSortKey",  # numbered
        "ignore_pattern": r"quickstart",  # longer than a page of the gallery
        "download_all_examples": False,
        "show_memory": False,
    }


def skip_foreign_members(app, what, name, obj, skip, options):
    """Leave out what scikit-learn's base classes and metadata routing add to a class.

    Those members are documented there, with references to labels that only its pages have.
    """
    module = getattr(obj, "__module__", None) or "skmtl"
    return True if not module.startswith("skmtl") else None


def setup(app):
    app.connect("autodoc-skip-member", skip_foreign_members)


# what the searches inherit refers to terms of scikit-learn's glossary
suppress_warnings = ["ref.term"]
