"""Sphinx configuration; pages under reference/generated/ are written from the package before each build."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codecarbon._version import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "codecarbon"
author = "The codecarbon developers"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.doctest", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"codecarbon {__version__}"
html_static_path: list[str] = []
# The pages work without a network; formulas are drawn only where MathJax can be loaded.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
nitpick_ignore_regex = [
    # Names of the standard library and of numpy: no inventory is fetched, builds are offline.
    (r"py:.*", r"(typing|collections|datetime|pathlib|types|enum|numpy|np|abc|contextlib)\..*"),
    (
        r"py:.*",
        r"(int|str|float|bool|bytes|object|tuple|dict|list|set|None|Any|Self|Sequence|Mapping|Iterable|Callable)",
    ),
    # Types of signatures that have no page of their own: keyword tables, type variables, frames.
    (r"py:.*", r"(.*\.)?(TrackerOptions|OfflineOptions|DecoratorOptions|F|FrameType|TracebackType)"),
    (r"py:.*", r"(datetime|Literal|optional|ValueError|RuntimeError|ImportError|LookupError|Exception)"),
]


def setup(app: Sphinx) -> None:
    """Write the generated pages first."""
    import generate

    generate.write(HERE / "reference" / "generated")
    del app
