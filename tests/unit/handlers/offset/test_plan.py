"""From settings to what offsetting needs: what does not fit together is refused when a tracker is made."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from codecarbon.config import Secret, resolve
from codecarbon.errors import ConfigError
from codecarbon.handlers import build_handlers
from codecarbon.handlers.offset.ledger import accounts
from codecarbon.handlers.offset.plan import make_plan
from codecarbon.units import UG_PER_LB

KEY = "live_hunter2_4711"


@pytest.fixture
def settings_for(tmp_path):
    def make(*, env=None, project=None, personal=None, **arguments):
        for folder, text in ((tmp_path, project), (tmp_path / "home", personal)):
            folder.mkdir(exist_ok=True)
            if text is not None:
                (folder / ".codecarbon.config").write_text(text)
        return resolve(arguments, environ=env or {}, cwd=str(tmp_path), home=str(tmp_path / "home"))

    return make


def test_a_plan_says_what_the_settings_say_and_holds_no_key(settings_for):
    plan = make_plan(settings_for(offset_api_key=KEY, offset_threshold="2.5", auto_offset="no", offset_stop_wait_s=3))
    assert (plan.threshold_ug, plan.cap_ug) == (2_500_000_000, 50_000_000_000)
    assert (plan.environment, plan.is_automatic, plan.stop_wait_s) == ("production", False, 3.0)
    assert (plan.remark, plan.may_release) == ("", False)
    assert KEY not in repr(plan)


def test_a_dry_run_has_an_environment_of_its_own(settings_for):
    plan = make_plan(settings_for(offset_api_key=KEY, offset_dry_run=True))
    assert plan.environment == "production, dry run"


@pytest.mark.parametrize(
    ("release", "environment", "may"),
    [
        ("never", "sandbox", False),
        ("sandbox", "sandbox", True),
        ("sandbox", "production", False),
        ("always", "production", True),
    ],
)
def test_who_may_release_a_doubt(settings_for, release, environment, may):
    key = {"sandbox": "test_x", "production": "live_x"}[environment]
    settings = settings_for(offset_api_key=key, offset_environment=environment, offset_auto_release=release)
    assert make_plan(settings).may_release is may


@pytest.mark.parametrize(("key", "word"), [("live_x", "sandbox"), ("test_x", "production")])
@pytest.mark.parametrize("where", ["constructor", "environment", "file"])
def test_a_key_of_the_other_environment_is_refused_from_everywhere(settings_for, key, word, where):
    if where == "constructor":
        settings = settings_for(offset_api_key=key, offset_environment=word)
    elif where == "environment":
        settings = settings_for(env={"CODECARBON_OFFSET_API_KEY": key, "CODECARBON_OFFSET_ENVIRONMENT": word})
    else:
        settings = settings_for(project=f"[codecarbon]\noffset_api_key = {key}\noffset_environment = {word}\n")
    with pytest.raises(ConfigError) as caught:
        build_handlers(settings)
    assert caught.value.field == "offset_api_key"
    assert caught.value.origin == settings.origin("offset_api_key")
    assert isinstance(caught.value.value, Secret)


def test_a_key_that_says_nothing_is_remarked_upon(settings_for):
    plan = make_plan(settings_for(offset_api_key="your_api_key_here"))
    assert "live_" in plan.remark
    assert "test_" in plan.remark


@pytest.mark.parametrize("url", ["http://example.org", "ftp://127.0.0.1/", "127.0.0.1:80"])
def test_an_address_that_is_not_safe_is_refused(settings_for, url):
    with pytest.raises(ConfigError) as caught:
        make_plan(settings_for(offset_api_key=KEY, env={"CODECARBON_OFFSET_BASE_URL": url}))
    assert (caught.value.field, caught.value.origin) == (
        "offset_base_url",
        "environment variable CODECARBON_OFFSET_BASE_URL",
    )


def test_without_a_key_there_is_no_plan_and_no_handler(settings_for):
    with pytest.raises(ConfigError, match="offset_api_key"):
        make_plan(settings_for())
    assert len(build_handlers(settings_for())) == 1
    assert len(build_handlers(settings_for(offset_api_key=" "))) == 1


def test_the_handler_comes_last(settings_for):
    handlers = build_handlers(settings_for(offset_api_key=KEY, output_methods="logger,csv"))
    assert [hasattr(handler, "manual_offset") for handler in handlers] == [False, False, True]
    assert KEY not in repr(handlers) + str(vars(handlers[-1]))


PLUGIN = """
from codecarbon.handlers.offset.provider import Outcome, Quote, Scan

class Trees:
    name = "trees"

    def __init__(self, *, key, environment, base_url):
        self.environment = environment

    def quote(self, pounds):
        return Quote(pounds, pounds * 0.45359237, pounds * 20, None, "")

    def purchase(self, order):
        return Outcome("bought", "me", order.offset_id, order.pounds)

    def find(self):
        return Scan((), is_complete=True, server_us=None)
"""


@pytest.fixture
def trees(tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "trees-1.dist-info").mkdir(parents=True)
    (site / "trees_of_ours.py").write_text(PLUGIN)
    (site / "trees-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: trees\nVersion: 1\n")
    (site / "trees-1.dist-info" / "entry_points.txt").write_text(
        "[codecarbon.offset_providers]\ntrees = trees_of_ours:Trees\n"
    )
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("trees_of_ours", None)


@pytest.mark.usefixtures("trees")
def test_another_distribution_sells_offsets_behind_the_same_ledger(settings_for, tmp_path):
    settings = settings_for(offset_api_key="test_looking_key", offset_provider="trees")
    plan = replace(make_plan(settings), ledger_path=str(tmp_path / "offsets.sqlite3"))
    assert (plan.provider_name, plan.environment, plan.remark) == ("trees", "production", "")
    ledger = plan.open_ledger()
    ledger.accrue("run", 1, 1_000_000_000, is_automatic=True)
    found = plan.open_desk(ledger, plan.make_provider()).buy("run", is_manual=False)
    assert [offset.bought_pounds for offset in found.offsets] == [2]
    assert [(account.provider, account.balance.confirmed_ug) for account in accounts(ledger.path)] == [
        ("trees", 2 * UG_PER_LB)
    ]


@pytest.mark.parametrize("where", ["constructor", "environment", "file"])
def test_a_service_that_nobody_announces_is_refused_from_everywhere(settings_for, where):
    given = {
        "constructor": {"offset_provider": "tres"},
        "environment": {"env": {"CODECARBON_OFFSET_PROVIDER": "tres"}},
        "file": {"personal": "[codecarbon]\noffset_provider = tres\n"},
    }[where]
    with pytest.raises(ConfigError, match=r"offset_provider='tres' \(from .*oneclickimpact"):
        make_plan(settings_for(offset_api_key=KEY, **given))
