"""What every service that sells offsets keeps to: an order buys at most once, and doubt is never "not bought"."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from codecarbon.handlers.offset.dry_run import DryRun
from codecarbon.handlers.offset.provider import Account, Cancellation, OffsetProvider, Order, make_provider
from codecarbon.units import KG_PER_LB
from tests.support.fakes.clock import FakeTime
from tests.support.fakes.oneclickimpact import BUY, LIVE_KEY, FakeOneClickImpact
from tests.support.other_offsets import Certificates, Registry, announce


def order(number=1, pounds=1):
    return Order(f"offset-{number}", pounds, "ledger-1", "run-1")


class OverTheFake:
    """OneClickImpact through its SDK."""

    name = "oneclickimpact"
    environment = "production"
    is_dry = False

    def __init__(self, folder):
        self.time = FakeTime()
        self.fake = FakeOneClickImpact(clock=self.time.clock)

    def __enter__(self):
        self.fake.start()
        return self

    def __exit__(self, *exc_info):
        self.fake.stop()

    def make(self):
        options = {"timeout_s": (10.0, 10.0), "clock": self.time.clock, "sleep": self.time.sleep}
        return make_provider(self.name, key=LIVE_KEY, environment=self.environment, base_url=self.fake.url, **options)

    def bought(self):
        return [(entry.metadata.get("codecarbon_offset_id"), entry.amount) for entry in self.fake.bought()]

    def lose_answers(self):
        self.fake.drop_next(100, path=BUY)

    def recover(self):
        self.fake._faults.clear()

    def refuse(self):
        self.fake.refuse_next(100, "invalid_request_error")

    def break_down(self):
        self.fake.close_next(100)


class Dry(OverTheFake):
    """The same, bought on paper only."""

    environment = "production, dry run"
    is_dry = True

    def make(self):
        inner = make_provider(self.name, key=LIVE_KEY, environment="production", base_url=self.fake.url)
        return DryRun(inner, clock=self.time.clock)


class OfAnother:
    """A service that another distribution announces."""

    name = "certificates"
    environment = "sandbox"
    is_dry = False

    def __init__(self, folder):
        self.registry = Registry()
        self._announced = announce(folder, {self.name: "tests.support.other_offsets:Certificates"})

    def __enter__(self):
        self._announced.__enter__()
        Certificates.registries = {"": self.registry}
        return self

    def __exit__(self, *exc_info):
        Certificates.registries = {}
        self._announced.__exit__(*exc_info)

    def make(self):
        return make_provider(self.name, key="a-key-of-its-own", environment=self.environment)

    def bought(self):
        return [(record.offset_id, record.pounds) for record in self.registry.records]

    def lose_answers(self):
        self.registry.trouble = "loses answers"

    def recover(self):
        self.registry.trouble = ""

    def refuse(self):
        self.registry.trouble = "refuses"

    def break_down(self):
        self.registry.trouble = "down"


@pytest.fixture(params=[OverTheFake, Dry, OfAnother], ids=lambda rig: rig.__name__)
def rig(request, tmp_path):
    with request.param(tmp_path) as made:
        yield made


def expected(rig, *orders):
    return [] if rig.is_dry else [(item.offset_id, item.pounds) for item in orders]


def test_it_says_what_it_is(rig):
    provider = rig.make()
    assert isinstance(provider, OffsetProvider)
    assert (provider.name, provider.environment) == (rig.name, rig.environment)


def test_it_shows_its_key_to_nobody(rig):
    provider = rig.make()
    assert LIVE_KEY not in repr(provider) + repr(vars(provider))


@pytest.mark.parametrize("pounds", [1, 7, 10_000_000])
def test_a_quote_is_about_what_was_asked_and_buys_nothing(rig, pounds):
    quote = rig.make().quote(pounds)
    assert quote.pounds == pounds
    assert quote.mass_kg == pytest.approx(pounds * KG_PER_LB)
    assert quote.cost_cents is None or (type(quote.cost_cents) is int and quote.cost_cents >= 0)
    assert isinstance(quote.note, str)
    assert rig.bought() == []


@pytest.mark.parametrize("pounds", [1, 7])
def test_an_order_buys_once_and_what_it_asked_for(rig, pounds):
    outcome = rig.make().purchase(order(pounds=pounds))
    assert outcome.kind == "bought"
    assert type(outcome.pounds) is int
    assert outcome.pounds == pounds
    assert outcome.user_id
    assert outcome.time_utc
    assert rig.bought() == expected(rig, order(pounds=pounds))


def test_what_was_bought_is_found_under_its_name(rig):
    provider = rig.make()
    outcomes = [provider.purchase(order(number, pounds=number)) for number in (1, 2)]
    scan = provider.find()
    assert scan.is_complete
    assert scan.error == ""
    found = {record.offset_id: record for record in scan.records}
    if rig.is_dry:
        assert found == {}
        return
    for number, outcome in zip((1, 2), outcomes, strict=True):
        record = found[f"offset-{number}"]
        assert (record.user_id, record.time_utc, record.pounds) == (outcome.user_id, outcome.time_utc, number)
        assert record.ledger_id == "ledger-1"
        assert not record.cancelled


def test_no_two_purchases_have_one_name(rig):
    provider = rig.make()
    outcomes = [provider.purchase(order(number)) for number in range(5)]
    assert len({(outcome.user_id, outcome.time_utc) for outcome in outcomes}) == 5


@pytest.mark.parametrize("pounds", [0, -3])
def test_what_is_no_order_buys_nothing(rig, pounds):
    assert rig.make().purchase(order(pounds=pounds)).kind == "not_bought"
    assert rig.bought() == []


def test_a_lost_answer_is_unknown_until_the_purchase_is_found(rig):
    provider = rig.make()
    rig.lose_answers()
    outcome = provider.purchase(order(3))
    if rig.is_dry:
        assert outcome.kind == "bought"
        return
    assert outcome.kind == "unknown"
    assert outcome.message
    assert rig.bought() == [("offset-3", 1)]
    rig.recover()
    assert [record.offset_id for record in provider.find().records] == ["offset-3"]


def test_a_refusal_buys_nothing_and_says_why(rig):
    provider = rig.make()
    rig.refuse()
    outcome = provider.purchase(order())
    if not rig.is_dry:
        assert outcome.kind == "not_bought"
        assert outcome.error_kind
        assert outcome.message
    assert rig.bought() == []


def test_a_service_that_is_down_raises_nothing_and_completes_no_scan(rig):
    provider = rig.make()
    rig.break_down()
    outcome = provider.purchase(order())
    assert outcome.kind in ({"bought"} if rig.is_dry else {"not_bought", "unknown"})
    scan = provider.find()
    assert scan.is_complete is rig.is_dry
    assert bool(scan.error) is not rig.is_dry
    assert provider.quote(1).pounds == 1
    assert rig.bought() == []


def test_orders_of_several_threads_are_each_bought_once(rig):
    provider = rig.make()
    orders = [order(number) for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        kinds = {outcome.kind for outcome in pool.map(provider.purchase, orders)}
    assert kinds == {"bought"}
    assert sorted(rig.bought()) == sorted(expected(rig, *orders))


def test_what_it_can_besides_it_answers_in_the_agreed_form(rig):
    provider = rig.make()
    outcome = provider.purchase(order())
    if hasattr(provider, "account"):
        assert isinstance(provider.account(), Account)
    if hasattr(provider, "cancel"):
        told = provider.cancel(outcome.user_id, outcome.time_utc, "a test")
        assert isinstance(told, Cancellation)
        assert (told.kind, bool(told.cancelled_on)) == ("cancelled", True)
        assert rig.bought() == []
    if hasattr(provider, "close"):
        provider.close()


def test_a_dry_run_sends_nothing_but_what_a_quote_needs(tmp_path):
    with Dry(tmp_path) as rig:
        provider = rig.make()
        provider.purchase(order())
        provider.find()
        assert rig.fake.count() == 0
        assert "dry run" in provider.quote(1).note
        assert rig.fake.posts == 0
        assert not hasattr(provider, "account")
        assert not hasattr(provider, "cancel")


def test_dry_runs_at_one_moment_have_names_of_their_own(tmp_path):
    with Dry(tmp_path) as rig:
        outcomes = [rig.make().purchase(order(number)) for number in (1, 2)]
        assert outcomes[0].time_utc != outcomes[1].time_utc
        assert all("dry run" in outcome.message for outcome in outcomes)
