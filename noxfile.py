"""Every check of this repository; `nox --list` names them, the Makefile and .ci/run only call them.

The wheel is built once, from an unpacked sdist, and every session installs that same file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True
nox.options.sessions = [
    "lint",
    "types",
    "imports",
    "tests",
    "tests_base",
    "native_debug",
    "wheel",
    "docs",
    "clients",
    "bench_smoke",
]

ROOT = Path(__file__).parent
WORK = ROOT / "build" / "nox"
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
BASE = PYPROJECT["project"]["dependencies"]
WEB = PYPROJECT["project"]["optional-dependencies"]["carbon-aware"]
OFFSET = PYPROJECT["project"]["optional-dependencies"]["offset"]
OWN_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = nox.project.python_versions(PYPROJECT)
# What goes into a wheel: a change in any of these, and only these, means another build.
SOURCES = ("src", "cmake", "CMakeLists.txt", "pyproject.toml", "README.md", "LICENSE", "NOTICE")
SUITES = PYPROJECT["tool"]["pytest"]["ini_options"]["testpaths"]


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


def fingerprint() -> str:
    """Return a hash of everything that goes into a wheel."""
    digest = hashlib.sha256()
    for name in SOURCES:
        top = ROOT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def is_done(stamp: Path, mark: str) -> bool:
    """Say whether a step was already done for these inputs."""
    return stamp.exists() and stamp.read_text(encoding="utf-8") == mark


def install(session: nox.Session, *requirements: str) -> None:
    """Install requirements, unless this environment already got exactly these."""
    stamp, mark = Path(session.virtualenv.location, "requirements.txt"), "\n".join(requirements)
    if not is_done(stamp, mark):
        session.install(*requirements)
        stamp.write_text(mark, encoding="utf-8")


def build_wheel(session: nox.Session, kind: str = "release", *settings: str) -> Path:
    """Build sdist, then wheel from the unpacked sdist, or return the wheel that is there already.

    The unpacked tree and CMake's folder are kept, and only files whose content changed are rewritten, so that a second
    build compiles what changed and nothing else.
    """
    folder = WORK / python_of(session) / kind
    stamp, mark = folder / "stamp", fingerprint()
    if not (is_done(stamp, mark) and list(folder.glob("*.whl"))):
        folder.mkdir(parents=True, exist_ok=True)
        for old in (*folder.glob("*.whl"), *folder.glob("*.tar.gz")):
            old.unlink()
        python = builder(session)
        run(python, "-c", SDIST, str(folder))
        tree = unpack(next(folder.glob("*.tar.gz")), folder / "tree")
        options = [f"--config-settings={setting}" for setting in (f"build-dir={folder / 'cmake'}", *settings)]
        pip = (
            python,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
        )
        run(*pip, "--wheel-dir", str(folder), *options, str(tree))
        stamp.write_text(mark, encoding="utf-8")
    return next(folder.glob("*.whl"))


SDIST = "import sys; from scikit_build_core.build import build_sdist; build_sdist(sys.argv[1])"


def python_of(session: nox.Session) -> str:
    """Return the version of Python that a session runs on, for example 3.12."""
    return session.python if isinstance(session.python, str) else OWN_PYTHON


def builder(session: nox.Session) -> str:
    """Return the interpreter of the one environment that holds the build tools, made on first use."""
    home = WORK / python_of(session) / "builder"
    python, stamp, mark = str(home / "bin" / "python"), home / "requirements.txt", "\n".join(group("build"))
    if not is_done(stamp, mark):
        session.log("making the build environment")
        run(sys.executable, "-m", "virtualenv", "--quiet", "--clear", f"--python={python_of(session)}", str(home))
        run(python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *group("build"))
        stamp.write_text(mark, encoding="utf-8")
    return python


def run(*command: str) -> None:
    """Run a command in the root folder, or end the session."""
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL)


def unpack(archive: Path, tree: Path) -> Path:
    """Make `tree` equal to the archive's content; untouched files keep their times."""
    wanted = set()
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if member.isfile():
                path = tree / Path(*Path(member.name).parts[1:])
                content = tar.extractfile(member).read()
                wanted.add(path)
                if not path.exists() or path.read_bytes() != content:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
    for path in tree.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
    return tree


def install_wheel(session: nox.Session, *requirements: str, wheel: Path | None = None) -> None:
    """Install base dependencies, requirements and the shared wheel; nothing is compiled here."""
    wheel = wheel or build_wheel(session)
    install(session, *BASE, *requirements)
    stamp, mark = Path(session.virtualenv.location, "wheel.txt"), f"{wheel} {wheel.stat().st_mtime_ns}"
    if not is_done(stamp, mark):
        session.install("--force-reinstall", "--no-deps", str(wheel))
        stamp.write_text(mark, encoding="utf-8")


def pytest(session: nox.Session, *arguments: str, name: str | None = None, **env: str) -> None:
    """Run pytest with a report for .ci/run to count."""
    report = WORK / "reports" / f"{name or session.name}.xml"
    session.run(
        "python", "-m", "pytest", "--timeout=120", f"--junitxml={report}", *arguments, *session.posargs, env=env
    )


def c_files() -> list[str]:
    """Return every C source and header of ours."""
    return sorted(str(path) for top in ("src", "tests", "benchmarks") for path in (ROOT / top).rglob("*.[ch]"))


@nox.session
def lint(session: nox.Session) -> None:
    """Judge the text of Python, Cython, C, prose and changelog fragments; every tool has its say."""
    install(session, *group("lint"))
    checks = (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("cython-lint", "src"),
        ("clang-format", "--dry-run", "--Werror", *c_files()),
        ("codespell",),
        ("python", "tools/check_fragments.py", "changes"),
        ("towncrier", "build", "--draft", "--version", "unreleased"),
    )
    failed = []
    for check in checks:
        try:
            session.run(*check, silent=check[0] == "towncrier")
        except CommandFailed:
            failed.append(check[0])
    if failed:
        session.error(f"failed: {', '.join(failed)}")


@nox.session
def fix(session: nox.Session) -> None:
    """Format everything and apply the safe fixes."""
    install(session, *group("lint"))
    session.run("ruff", "check", "--fix", ".", success_codes=[0, 1])
    session.run("ruff", "format", ".")
    session.run("clang-format", "-i", *c_files())


@nox.session
def types(session: nox.Session) -> None:
    """Check the installed package as a user's type checker sees it, and the stubs against the compiled modules."""
    install_wheel(session, *WEB, *OFFSET, *group("types"))
    cache = f"--cache-dir={WORK / 'mypy'}"
    session.run("mypy", cache, "-p", "codecarbon")
    session.run("mypy", cache, "tests/typing/api.py")
    session.run(
        "stubtest",
        "codecarbon._sensors",
        "--allowlist",
        "tests/typing/stubtest-allowlist.txt",
        "--ignore-unused-allowlist",
    )


@nox.session
def imports(session: nox.Session) -> None:
    """Check the import contracts on the installed package."""
    install_wheel(session, *WEB, *OFFSET, *group("imports"))
    session.run("lint-imports", "--config", str(ROOT / "pyproject.toml"), "--cache-dir", str(WORK / "grimp"))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the suite on the shared wheel: random order, two processes, warnings are errors."""
    install_wheel(session, *WEB, *OFFSET, *group("test"))
    pytest(session, "-n", "2")


@nox.session(python=PYTHONS)
def pythons(session: nox.Session) -> None:
    """Run the suite on every supported Python that is installed: `nox -s pythons`, or `nox -s pythons-3.10`."""
    install_wheel(session, *WEB, *OFFSET, *group("test"))
    pytest(session, "-n", "2")


ONLY_BASE = """
import importlib.util as u
extras = "fastapi", "starlette", "uvicorn", "orjson", "yaml", "sqlalchemy", "pandas", "prometheus_client"
extras += "opentelemetry", "logfire", "amdsmi", "makeimpact"
found = [name for name in extras if u.find_spec(name)]
assert not found, f"not a base install: {found}"
"""


@nox.session
def tests_base(session: nox.Session) -> None:
    """Run the suite with the base dependencies only, as a plain `pip install codecarbon` gives them."""
    install_wheel(session, *group("test"))
    session.run("python", "-c", ONLY_BASE)
    pytest(session, "-n", "2", "tests/unit", "tests/compat")


@nox.session
def clients(session: nox.Session) -> None:
    """Let generated clients and a fuzzer loose on the running WebApi, which must keep to its own document."""
    install_wheel(session, *WEB, *group("clients"))
    pytest(session, "-n", "2", "tests/clients")


@nox.session
def native_debug(session: nox.Session) -> None:
    """Run the native tests on a Debug build under the address and undefined-behaviour sanitizers."""
    wheel = build_wheel(
        session, "debug", "cmake.build-type=Debug", "cmake.define.CODECARBON_SANITIZE=address,undefined"
    )
    install_wheel(session, *group("test"), wheel=wheel)
    pytest(
        session,
        "tests/native",
        LD_PRELOAD=" ".join(sanitizer_library(name) for name in ("libasan.so", "libubsan.so")),
        # CPython keeps memory for itself at exit, and pymalloc hides overruns from the sanitizer.
        ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:handle_segv=0",
        UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
        PYTHONMALLOC="malloc",
        CODECARBON_SANITIZED="1",
    )


def sanitizer_library(name: str) -> str:
    """Return the path of a sanitizer's run-time library, which must be loaded before the interpreter's first malloc."""
    compiler = os.environ.get("CC", "cc").split()
    return subprocess.run(
        [*compiler, f"-print-file-name={name}"], check=True, capture_output=True, text=True
    ).stdout.strip()


@nox.session
def wheel(session: nox.Session) -> None:
    """Use the wheel as a user would, in an empty folder outside the tree; then an editable install."""
    install_wheel(session, *group("test"))
    with tempfile.TemporaryDirectory(prefix="codecarbon-wheel-") as outside:
        shutil.copytree(ROOT / "tests" / "wheel", outside, dirs_exist_ok=True)
        with session.chdir(outside):
            pytest(session, "-p", "no:randomly", "-c", "pytest.ini", ".")


@nox.session
def editable(session: nox.Session) -> None:
    """Install the tree in place, as a developer does, and import it."""
    install(session, *BASE, *group("build"), *group("test"))
    session.install("--no-build-isolation", "--no-deps", "--editable", ".")
    session.run("python", "-c", "import codecarbon._sensors as s; assert s.Channel('a', 'package').num == 1")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a dead reference is an error; run its examples."""
    install_wheel(session, *WEB, *OFFSET, *group("docs"))
    session.run("sphinx-build", "-n", "-W", "--keep-going", "-b", "html", "docs", str(WORK / "docs" / "html"))
    session.run("sphinx-build", "-n", "-W", "-q", "-b", "doctest", "docs", str(WORK / "docs" / "doctest"))


@nox.session
def bench_smoke(session: nox.Session) -> None:
    """Run every benchmark once, briefly: they must work, and their answers must be right."""
    install_wheel(session, *WEB, *group("bench"))
    session.run("python", "-m", "benchmarks", "--smoke")


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks in full and print the table of targets; `nox -s bench -- --peers` adds the peers."""
    install_wheel(session, *WEB, *group("bench"))
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Measure a small real training script and show the row that was written."""
    install_wheel(session)
    output = ROOT / "demo-output"
    shutil.rmtree(output, ignore_errors=True)
    session.run(
        "codecarbon",
        "monitor",
        "--output-dir",
        str(output),
        "--project-name",
        "demo",
        "--",
        "python",
        "examples/train.py",
    )
    session.run("python", "tools/show_row.py", str(output / "emissions.csv"))
