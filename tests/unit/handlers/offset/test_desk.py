"""Buying and settling, without a run around it."""

from __future__ import annotations

import pytest

from codecarbon.errors import LedgerError
from codecarbon.handlers.offset.desk import Desk, Ending, Standing
from codecarbon.handlers.offset.ledger import Ledger, OffsetState
from codecarbon.handlers.offset.provider import SEND_WITHIN_S, OffsetProvider, Record, running_s
from codecarbon.units import UG_PER_LB
from tests.support.ledgers import DEAD, reserved, sent
from tests.support.offsets import BAD_KEY, FINGERPRINT, KG, LOST, REFUSED, ScriptedProvider, check_books


@pytest.fixture
def desk(ledger, provider):
    def make(**options):
        return Desk(ledger, provider, **{"threshold_ug": KG // 2, "cap_ug": None, **options})

    return make


def hold(ledger, ug, *, is_automatic=True):
    ledger.accrue("held", 1, ug, is_automatic=is_automatic)


def test_the_scripted_service_is_a_service():
    assert isinstance(ScriptedProvider(), OffsetProvider)


def test_nothing_is_asked_of_the_service_when_nothing_is_due(desk, ledger, provider):
    hold(ledger, 499_999_999)
    assert desk().buy("r", is_manual=False).ending is Ending.BELOW_THRESHOLD
    assert desk().buy("r", is_manual=True).offsets  # a pound is there
    assert desk().buy("r", is_manual=True).ending is Ending.NOTHING_DUE
    assert provider.scans == 1


def test_an_order_ages_from_before_it_is_marked_as_sent(ledger, provider):
    """Else a pause right after the mark, in which another container gives the order up, would not count."""
    marked_s = []

    class Noting(Ledger):
        def mark_sent(self, offset_id):
            marked_s.append(running_s())
            return super().mark_sent(offset_id)

    noting = Noting(ledger.path, provider="oneclickimpact", fingerprint=FINGERPRINT, environment="sandbox")
    hold(noting, KG)
    began_s = running_s()
    Desk(noting, provider, threshold_ug=KG // 2, cap_ug=None).buy("r", is_manual=False)
    assert began_s <= provider.orders[0].send_by_s - SEND_WITHIN_S <= marked_s[0]


def test_more_than_an_order_can_be_is_split(desk, ledger, provider):
    hold(ledger, 25_000_000 * UG_PER_LB + 7)
    found = desk().buy("r", is_manual=False)
    assert [order.pounds for order in provider.orders] == [10_000_000, 10_000_000, 5_000_000]
    assert len(found.offsets) == 3
    assert len({order.offset_id for order in provider.orders}) == 3
    assert ledger.balance().open_ug == 7
    check_books(ledger, provider.pounds)


def test_a_split_stops_at_the_first_doubt(desk, ledger, provider):
    provider.script = ["bought", "lost"]
    hold(ledger, 25_000_000 * UG_PER_LB)
    found = desk().buy("r", is_manual=False)
    assert (len(found.offsets), found.ending) == (1, Ending.UNKNOWN)
    assert provider.posts == 2
    assert ledger.balance().open_ug == 5_000_000 * UG_PER_LB


def test_what_was_dearer_than_allowed_stays(desk, ledger, provider):
    hold(ledger, 10 * KG)
    found = desk(cap_ug=KG).buy("r", is_manual=True)
    assert (provider.pounds, found.ending) == (2, Ending.CAP_REACHED)
    assert desk(cap_ug=KG).buy("other", is_manual=True).offsets


@pytest.mark.parametrize(
    ("step", "endings"),
    [
        (REFUSED, (Ending.NOT_BOUGHT, OffsetState.REJECTED)),
        (BAD_KEY, (Ending.KEY_REFUSED, OffsetState.REJECTED)),
        (LOST, (Ending.UNKNOWN, OffsetState.UNKNOWN)),
    ],
)
def test_what_is_not_bought_is_written_down_and_said(desk, ledger, provider, step, endings):
    ending, state = endings
    provider.script = [step]
    hold(ledger, KG)
    found = desk().buy("r", is_manual=True)
    assert (found.offsets, found.ending) == ((), ending)
    assert step.message in found.message
    assert [offset.state for offset in ledger.offsets()] == [state]
    assert "sandbox" in found.message


def test_a_key_that_was_refused_is_good_again_once_it_buys(desk, ledger, provider):
    provider.script = [BAD_KEY]
    hold(ledger, 2 * KG)
    one = desk(standing=(standing := Standing()))
    assert one.buy("r", is_manual=False).ending is Ending.KEY_REFUSED
    assert one.buy("r", is_manual=False).ending is Ending.KEY_REFUSED
    assert provider.posts == 1
    assert one.buy("r", is_manual=True).offsets
    assert not standing.key_fault


def test_who_dies_while_an_order_is_out_leaves_a_doubt(desk, ledger, provider):
    def interrupt(order):
        raise KeyboardInterrupt

    provider.on_purchase = interrupt
    hold(ledger, KG)
    with pytest.raises(KeyboardInterrupt):
        desk().buy("r", is_manual=True)
    (offset,) = ledger.offsets()
    assert offset.state is OffsetState.UNKNOWN
    assert "KeyboardInterrupt" in offset.error


def test_who_dies_before_an_order_goes_out_leaves_none(plan_for, desk, ledger):
    class Dear(ScriptedProvider):
        def quote(self, pounds):
            raise KeyboardInterrupt

    provider = Dear(environment="production")
    books = plan_for(provider).open_ledger()
    hold(books, KG)
    with pytest.raises(KeyboardInterrupt):
        Desk(books, provider, threshold_ug=KG, cap_ug=None).buy("r", is_manual=True)
    assert provider.posts == 0
    assert books.balance().open_ug == KG


def test_nothing_is_ordered_without_the_mark(desk, ledger, provider):
    """Another process's doubt comes up between the reservation and the order."""
    hold(ledger, 3 * KG)
    provider.environment = "production"

    def doubt(pounds):
        other = ledger.reserve(is_manual=True, threshold_ug=0, run_id="other", cap_ug=UG_PER_LB)
        ledger.mark_sent(other.offset_id)
        ledger.mark_unknown(other.offset_id, "no answer")
        return ScriptedProvider.quote(provider, pounds)

    provider.quote = doubt
    found = desk(cap_ug=UG_PER_LB).buy("r", is_manual=True)
    assert (found.offsets, found.ending) == ((), Ending.BLOCKED)
    assert provider.posts == 0


def test_a_purchase_that_cannot_be_written_down_is_said_and_found_later(desk, ledger, provider, log, tmp_path):
    hold(ledger, KG)
    path = tmp_path / "ledger.sqlite3"
    kept = path.with_name("away")
    provider.on_purchase = lambda _order: path.rename(kept)
    with pytest.raises(LedgerError):
        desk().buy("r", is_manual=True)
    kept.rename(path)
    provider.on_purchase = lambda _order: None
    assert "2 lb were bought at OneClickImpact" in log.text
    assert ledger.balance().pending_ug == 2 * UG_PER_LB
    desk().reconcile()
    assert ledger.balance().confirmed_ug == 2 * UG_PER_LB
    assert provider.posts == 1


def test_reconciling_tells_what_it_found(desk, ledger, provider, log):
    provider.script = ["lost"]
    hold(ledger, KG)
    one = desk()
    assert one.buy("r", is_manual=True).ending is Ending.UNKNOWN
    order = provider.orders[0]
    again = provider.books[0]._replace(time_utc="2026-11-20T10:00:00.000Z")
    strange = Record("U1", "2026-11-20T11:00:00.000Z", 1, "forgotten", order.ledger_id, cancelled=False)
    provider.books += [again, strange]
    settlement = one.reconcile()
    assert len(settlement.confirmed) == 1
    assert len(settlement.duplicates) == 1
    assert "show the purchase of 2 lb that was in doubt" in log.text
    assert "show a purchase twice" in log.text
    assert "of this ledger's that it did not know" in log.text


def test_a_new_key_of_the_same_account_takes_over(plan_for, provider):
    first = plan_for(provider).open_ledger()
    hold(first, KG // 4)
    first.adopt("U1")
    second = plan_for(provider, fingerprint="1" * 64).open_ledger()
    second.accrue("r2", 1, KG // 4 + KG // 4, is_automatic=True)
    found = Desk(second, provider, threshold_ug=KG // 2, cap_ug=None).buy("r2", is_manual=False)
    assert len(found.offsets) == 1
    assert second.balance().accrued_ug == KG // 4 + KG // 2


def test_what_dead_processes_left_is_settled_before_buying(desk, ledger, provider, plan_for):
    from codecarbon.handlers.offset.ledger import Ledger
    from codecarbon.handlers.offset.owners import this_process

    dead = this_process()._replace(boot_id="another boot")
    hold(ledger, 2 * KG)
    theirs = Ledger(
        ledger.path, provider=provider.name, fingerprint="0" * 64, environment=provider.environment, owner=dead
    )
    offset = theirs.reserve(is_manual=True, threshold_ug=0, run_id="dead", cap_ug=UG_PER_LB)
    assert theirs.mark_sent(offset.offset_id)
    found = desk().buy("r", is_manual=True)
    assert found.ending is Ending.BLOCKED
    assert provider.posts == 0
    assert desk().reconcile().still_unknown


def of_the_dead(ledger, provider):
    """The ledger as a process had it that is dead by now."""
    return Ledger(
        ledger.path, provider=provider.name, fingerprint=FINGERPRINT, environment=provider.environment, owner=DEAD
    )


def test_what_a_dead_process_had_reserved_is_bought_by_hand(desk, ledger, provider):
    hold(ledger, KG // 2)
    reserved(of_the_dead(ledger, provider), run_id="dead")
    assert ledger.balance().open_ug < UG_PER_LB
    assert desk().buy("r", is_manual=True).offsets
    check_books(ledger, provider.pounds)


def test_an_order_of_a_process_that_died_meanwhile_stops_a_desk_that_was_ready(desk, ledger, provider):
    ready = desk()
    hold(ledger, KG // 2)
    assert ready.buy("r", is_manual=False).offsets
    hold(ledger, KG)
    sent(of_the_dead(ledger, provider), run_id="dead")
    hold(ledger, 2 * KG)
    assert ready.buy("r", is_manual=False).ending is Ending.BLOCKED
    assert provider.posts == 1
