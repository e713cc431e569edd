"""Sphinx configuration; pages under reference/generated/ are written from the package before each build."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codecarbon._version import __version__

if TYPE_CHECKING:
    from docutils import nodes
    from docutils.nodes import TextElement
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "codecarbon"
author = "The codecarbon developers"
project_copyright = "2026, The codecarbon developers"
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.doctest",
    "sphinx-mathjax-offline",
]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"codecarbon {__version__}"
html_static_path: list[str] = []
# The pages work without a network, formulas included: MathJax is copied from a package.
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
    (r"py:.*", r"(.*\.)?(TrackerOptions|OfflineOptions|DecoratorOptions|F|FrameType|TracebackType|RLock|Run)"),
    # Words of a fixed list, spelt out where they are explained.
    (r"py:.*", r"(.*\.)?(Signal|Capability|Outcome|OutcomeKind|CancellationKind)"),
    # Inside of a session; nobody makes one by hand.
    (r"py:.*", r"codecarbon\.measure\.(marks\.Segment|session\.Session)"),
    (r"py:class", r"tuple\[int \| str"),
    # Parts of longer types, what requests calls its own, and records that only tests and servers look into.
    (r"py:class", r"(Mapping\[str|Callable\[\[\]|timedelta|(os\.)?PathLike(\[str\])?|requests\..*|Profile)"),
    (
        r"py:class",
        r"(.*\.)?(SourceOptions|LocationFile|Limits|LocationTable|IntensityProvider|Location|TimeSpan|_Times)",
    ),
    # What is left of Cython's typed memoryviews.
    (r"py:class", r":1\] \w+"),
    (r"py:.*", r"(datetime|Literal|optional|ValueError|RuntimeError|ImportError|LookupError|Exception)"),
]


def find_by_last_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: TextElement
) -> nodes.reference | None:
    """Resolve `Mark` to `codecarbon.measure.Mark`: signatures and docstrings use the short names that users write."""
    last = node.get("reftarget", "").rpartition(".")[2]
    matches = [name for name in env.domains.python_domain.objects if name.rpartition(".")[2] == last]
    if node.get("refdomain") != "py" or len(matches) != 1:
        return None
    domain = env.domains.python_domain
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", matches[0], node, contnode)


def setup(app: Sphinx) -> None:
    """Write the generated pages first."""
    import generate

    generate.write(HERE / "reference" / "generated")
    app.connect("missing-reference", find_by_last_name)
