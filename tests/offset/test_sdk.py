"""The installed SDK is the one that the adapter was written for; any other buys nothing."""

from __future__ import annotations

import inspect
import subprocess
import sys
from contextlib import suppress

import makeimpact
import pytest

from codecarbon.errors import ConfigError, MissingExtraError, OffsetError
from codecarbon.handlers.offset.oneclickimpact import ADDRESSES, OneClickImpact
from codecarbon.handlers.offset.provider import make_provider
from tests.offset.conftest import order
from tests.support.fakes.oneclickimpact import BUY, LIVE_KEY, TEST_KEY, FakeOneClickImpact


@pytest.mark.parametrize("environment", makeimpact.Environment)
def test_the_addresses_are_the_sdks(environment):
    assert makeimpact.OneClickImpact("key", environment).base_url == ADDRESSES[environment.value]


def test_the_installed_sdk_is_accepted(make):
    assert make().purchase(order()).kind == "bought"


def test_the_purchase_goes_through_the_sdks_own_method(make, fake):
    asked = []

    class Watched(makeimpact.OneClickImpact):
        def capture_carbon(self, amount, customer_email=None, customer_name=None, notify=None, metadata=None):
            asked.append((amount, notify, sorted(metadata)))
            return super().capture_carbon(amount=amount, notify=notify, metadata=metadata)

    assert make(sdk=Watched).purchase(order(pounds=2)).kind == "bought"
    names = ["codecarbon_ledger_id", "codecarbon_offset_id", "codecarbon_run_id", "tool_version"]
    assert asked == [(2, False, names)]


class Base(makeimpact.OneClickImpact):
    pass


class Async(Base):
    async def _make_request(self, endpoint, body=None, method="POST", query_params=None): ...


class Renamed(Base):
    _make_request = None


class OneMore(Base):
    def _make_request(self, endpoint, body=None, method="POST", query_params=None, retries=3): ...


class OneLess(Base):
    def _make_request(self, endpoint, body=None, method="POST"): ...


class OtherOrder(Base):
    def _make_request(self, endpoint, method="POST", body=None, query_params=None): ...


class OtherDefault(Base):
    def _make_request(self, endpoint, body=None, method="GET", query_params=None): ...


class NoMetadata(Base):
    def capture_carbon(self, amount, customer_email=None, notify=None): ...


class NoPurchase(Base):
    capture_carbon = None


class NoReason(Base):
    def cancel_impact(self, user_id, time_utc): ...


UNKNOWN_KINDS = [Async, Renamed, OneMore, OneLess, OtherOrder, OtherDefault, NoMetadata, NoPurchase, NoReason]


@pytest.mark.parametrize("sdk", UNKNOWN_KINDS)
def test_an_sdk_of_another_kind_is_refused_before_anything_is_bought(make, sdk):
    with pytest.raises(OffsetError, match=r"nothing will be bought.*makeimpact>=2.0.0,<3"):
        make(sdk=sdk)


def test_more_arguments_that_have_defaults_do_no_harm(make):
    class Newer(Base):
        def capture_carbon(self, amount, *, notify=None, metadata=None, colour=None):
            return super().capture_carbon(amount, notify=notify, metadata=metadata)

    assert make(sdk=Newer).purchase(order()).kind == "bought"


@pytest.mark.parametrize("is_doubtful", [False, True])
def test_an_sdk_that_tries_again_by_itself_sends_one_request(fake, make, is_doubtful):
    class Retrying(Base):
        def capture_carbon(self, amount, customer_email=None, customer_name=None, notify=None, metadata=None):
            for _ in range(3):
                with suppress(Exception):
                    return super().capture_carbon(amount, notify=notify, metadata=metadata)
            return None

    if is_doubtful:
        fake.drop_next(1, path=BUY)
    else:
        fake.refuse_next(1, "key_error")
    outcome = make(sdk=Retrying).purchase(order())
    assert outcome.kind == ("unknown" if is_doubtful else "not_bought")
    assert fake.posts == 1


def test_an_sdk_that_asks_twice_gets_one_purchase_whose_outcome_is_open(fake, make):
    class Eager(Base):
        def capture_carbon(self, amount, customer_email=None, customer_name=None, notify=None, metadata=None):
            super().capture_carbon(amount, notify=notify, metadata=metadata)
            return super().capture_carbon(amount, notify=notify, metadata=metadata)

    assert make(sdk=Eager).purchase(order()).kind == "unknown"
    assert fake.posts == 1


@pytest.mark.parametrize("change", [{"amount": 2}, {"notify": True}, {"metadata": None}, {"metadata": {"a": "b"}}])
def test_an_sdk_that_wants_to_order_something_else_is_not_let_out(fake, make, change):
    class Creative(Base):
        def capture_carbon(self, amount, customer_email=None, customer_name=None, notify=None, metadata=None):
            return super().capture_carbon(**{"amount": amount, "notify": notify, "metadata": metadata, **change})

    outcome = make(sdk=Creative).purchase(order())
    assert (outcome.kind, outcome.error_kind) == ("not_bought", "sdk")
    assert fake.count() == 0


def test_an_sdk_with_a_way_of_its_own_has_neither_key_nor_address(fake, make):
    seen = {}

    class Independent(Base):
        def capture_carbon(self, amount, customer_email=None, customer_name=None, notify=None, metadata=None):
            seen.update(vars(self))
            return makeimpact.CaptureCarbonResponse("U1", amount, "2026-11-20T09:14:31.207Z")

    outcome = make(sdk=Independent).purchase(order())
    assert (outcome.kind, outcome.error_kind) == ("unknown", "sdk")
    assert LIVE_KEY not in repr(seen)
    assert fake.url not in seen["base_url"]


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), makeimpact.OneClickImpactError("x"), OSError("x")])
def test_an_sdk_that_fails_before_it_asks_bought_nothing(fake, make, error):
    class Failing(Base):
        def capture_carbon(self, amount, customer_email=None, customer_name=None, notify=None, metadata=None):
            raise error

    outcome = make(sdk=Failing).purchase(order())
    assert (outcome.kind, outcome.error_kind) == ("not_bought", "sdk")
    assert fake.count() == 0


@pytest.mark.parametrize(
    "error", [KeyError, TypeError, AttributeError, ValueError, RuntimeError, OSError, RecursionError]
)
def test_an_sdk_that_fails_after_the_answer_leaves_it_open(fake, make, error):
    class Failing(Base):
        def capture_carbon(self, amount, customer_email=None, customer_name=None, notify=None, metadata=None):
            super().capture_carbon(amount, notify=notify, metadata=metadata)
            raise error(LIVE_KEY)

    outcome = make(sdk=Failing).purchase(order())
    assert (outcome.kind, outcome.error_kind) == ("unknown", "answer")
    assert LIVE_KEY not in outcome.message
    assert (fake.posts, fake.pounds_bought()) == (1, 1)


def test_the_sdk_still_has_the_faults_that_the_adapter_goes_around():
    """When this fails, a newer SDK may have mended them: read its request method again."""
    source = inspect.getsource(makeimpact.OneClickImpact._make_request)
    assert "timeout" not in source
    assert "allow_redirects" not in source


# --- keys and environments -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "environment"), [(LIVE_KEY, "sandbox"), (TEST_KEY, "production"), (LIVE_KEY, "SANDBOX ")]
)
def test_a_key_of_the_other_environment_makes_no_adapter(fake, make, key, environment):
    with pytest.raises(ConfigError, match="offset_api_key"):
        make(key=key, environment=environment)
    assert fake.count() == 0


@pytest.mark.parametrize("environment", ["prod", "", "live", None])
def test_an_environment_that_is_none_makes_no_adapter(fake, make, environment):
    with pytest.raises(ConfigError, match="offset_environment"):
        make(environment=environment)
    assert fake.count() == 0


@pytest.mark.parametrize("environment", ["Sandbox ", "SANDBOX"])
def test_the_sandbox_in_any_spelling_never_reaches_production(environment):
    assert OneClickImpact(key=TEST_KEY, environment=environment).base_url == ADDRESSES["sandbox"]


def test_an_address_in_the_clear_on_another_machine_makes_no_adapter(make):
    with pytest.raises(ConfigError, match="offset_base_url"):
        make(base_url="http://offsets.example")


def test_the_registry_makes_it(time):
    with FakeOneClickImpact(clock=time.clock) as fake:
        provider = make_provider("oneclickimpact", key=LIVE_KEY, environment="production", base_url=fake.url)
        assert isinstance(provider, OneClickImpact)
        assert provider.purchase(order()).kind == "bought"


@pytest.mark.parametrize("version", ["1.3.0", "3.0.0", "3.0.0rc1", "20.1"])
def test_another_major_version_is_refused_although_its_methods_look_the_same(make, tmp_path, monkeypatch, version):
    info = tmp_path / f"makeimpact-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: makeimpact\nVersion: {version}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(OffsetError, match="nothing will be bought"):
        make()


WITHOUT = """
import sys
sys.modules["makeimpact"] = None  # what an import of it finds where it is not installed
from codecarbon.errors import MissingExtraError
from codecarbon.handlers.offset.provider import make_provider
try:
    make_provider("oneclickimpact", key="live_x", environment="production")
except MissingExtraError as error:
    print(error.extra, "|", error)
"""


def test_a_missing_sdk_names_the_extra():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "offset | offsetting with OneClickImpact needs an optional dependency: pip install 'codecarbon[offset]'\n"
    )
    assert issubclass(MissingExtraError, ImportError)
