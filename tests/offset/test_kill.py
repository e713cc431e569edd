"""A process that buys offsets is killed before each of its SQL statements, one process for each; the next one goes on.

The child is real, and so are the SDK, the connection and the ledger's file. Wherever it died, what was bought is at
most what was accrued, no order went out twice, and nothing that was counted is lost; so it stays when the next process
tries to buy while the records show nothing yet. Once they do, and a person has released what is not in them, less than
a pound is left.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from pathlib import Path

import pytest

from codecarbon.handlers.offset.ledger import Ledger
from tests.support.buyers import Buyers
from tests.support.fakes.oneclickimpact import BUY, TEST_KEY, FakeOneClickImpact
from tests.support.ledgers import KG, LB, THRESHOLD_UG

PARTS = 4
# What the process does, from what mass on it buys by itself, and that it is killed at one in so many statements.
CAREERS = {
    "half a kilogram": ([("accrue", KG // 2), ("buy", False)], THRESHOLD_UG, 1),
    "half a kilogram, twice": ([("accrue", KG // 2), ("buy", False), ("accrue", KG), ("buy", False)], THRESHOLD_UG, 7),
    "by hand": ([("accrue", 3 * LB + 7), ("buy", True)], THRESHOLD_UG, 5),
    "a higher threshold": (
        [("accrue", KG // 2), ("buy", False), ("accrue", 2 * KG), ("buy", False), ("buy", True)],
        KG,
        8,
    ),
}


@pytest.fixture(scope="module")
def fake():
    with FakeOneClickImpact() as server:
        yield server


@pytest.fixture(scope="module")
def buyers(fake):
    made = Buyers(fake.url, TEST_KEY)
    yield made
    made.close()


@pytest.fixture
def folder():
    """In memory, where there is such a place."""
    memory = Path("/dev/shm")
    path = tempfile.mkdtemp(prefix="codecarbon-killed-", dir=memory if memory.is_dir() else None)
    yield Path(path)
    shutil.rmtree(path)


def forget(fake):
    """Begin with a service that has seen nobody yet."""
    fake.visible_after_s = 0.0
    fake.books["sandbox"].clear()
    fake.log.clear()


def ordered(fake):
    """The offsets that were ordered."""
    return [json.loads(request.body)["metadata"]["codecarbon_offset_id"] for request in fake.seen(BUY)]


def sold(fake):
    """The offsets that were bought."""
    return [entry.metadata["codecarbon_offset_id"] for entry in fake.bought("sandbox")]


def check(fake, path, told_ug):
    """What must be true whenever nobody is at work."""
    names = ordered(fake)
    assert len(set(names)) == len(names) == fake.posts
    if not path.exists():
        assert (names, told_ug) == ([], 0)
        return None
    balances = [account.balance for account in Ledger.accounts(path)]
    accrued_ug = sum(balance.accrued_ug for balance in balances)
    assert accrued_ug >= told_ug
    assert fake.pounds_bought("sandbox") * LB <= accrued_ug
    for balance in balances:
        assert balance.debt_ug == 0
        out_ug = balance.confirmed_ug + balance.pending_ug + balance.unknown_ug
        assert balance.accrued_ug - out_ug == balance.open_ug
    return balances


def live_again(fake, buyers, path, steps, threshold_ug):
    """The program runs once more, and does all that it did before; then somebody has the rest bought."""
    last_ug = max(step[1] for step in steps if step[0] == "accrue")
    again = buyers.run(path, [("reconcile", sold(fake)), *steps, ("buy", True)], threshold_ug=threshold_ug)
    assert not again.was_killed
    (balance,) = check(fake, path, last_ug)
    pounds = fake.pounds_bought("sandbox")
    assert balance.accrued_ug == last_ug
    assert pounds == last_ug // LB
    assert balance.open_ug == last_ug - pounds * LB
    assert sorted(sold(fake)) == sorted(
        offset.offset_id
        for account in Ledger.accounts(path)
        for offset in Ledger(
            path, provider=account.provider, fingerprint=account.fingerprints[0], environment=account.environment
        ).offsets()
        if offset.state == "confirmed"
    )


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", CAREERS)
def test_killed_before_any_statement_nothing_is_bought_twice_and_nothing_lost(fake, buyers, folder, name, part):
    steps, threshold_ug, stride = CAREERS[name]
    forget(fake)
    statements = buyers.run(folder / "whole.sqlite3", steps, threshold_ug=threshold_ug).statements
    assert statements > 100
    runs = 0
    for kill_at in range(1 + part * stride, statements + 1, PARTS * stride):
        forget(fake)
        path = folder / f"{kill_at}.sqlite3"
        done = buyers.run(path, steps, threshold_ug=threshold_ug, kill_at=kill_at)
        assert done.was_killed
        check(fake, path, done.accrued_ug)
        fake.visible_after_s = math.inf  # the next process sees nothing of what this one bought
        buyers.run(path, [*steps, ("buy", True)], threshold_ug=threshold_ug)
        check(fake, path, done.accrued_ug)
        fake.visible_after_s = 0.0
        live_again(fake, buyers, path, steps, threshold_ug)
        runs += 1
    assert runs == len(range(1 + part * stride, statements + 1, PARTS * stride)) >= 8
