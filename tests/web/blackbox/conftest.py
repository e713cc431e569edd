"""Servers of the numbered cases; each is started once per process and serves until the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest
import requests

from tests.web.blackbox.cases import Case
from tests.web.blackbox.sites import Site, make_site, serve, serve_options


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], str]]:
    """Return the address of the server of a site and a profile."""
    started: dict[tuple[str, str], str] = {}
    with ExitStack() as stack:

        def start(name: str, profile: str) -> str:
            if (name, profile) not in started:
                site = make_site(name, tmp_path_factory.mktemp("site"))
                started[name, profile] = stack.enter_context(serve(site, profile))
            return started[name, profile]

        yield start


@pytest.fixture(scope="session")
def ask(server: Callable[[str, str], str]) -> Callable[[Case, str], requests.Response]:
    """Return what sends a case's question in a profile."""
    with requests.Session() as session:
        session.trust_env = False

        def send(case: Case, profile: str) -> requests.Response:
            method = case.method or ("GET" if case.body is None else "POST")
            return session.request(method, server(case.site, profile) + case.path, json=case.body, timeout=30)

        yield send


@pytest.fixture(scope="module")
def serve_site() -> Iterator[Callable[[Site, str], str]]:
    """Return what starts a server for a site and a profile; it serves until the module's end."""
    with ExitStack() as stack:
        yield lambda site, profile: stack.enter_context(serve(site, profile))


@pytest.fixture
def serve_environment() -> Iterator[Callable[[Mapping[str, str]], str]]:
    """Return what starts a server that is configured by an environment alone."""
    from codecarbon.carbon_aware.appsettings import load_options

    with ExitStack() as stack:
        yield lambda environ: stack.enter_context(serve_options(load_options([], environ)))
