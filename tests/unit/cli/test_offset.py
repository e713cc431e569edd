"""What ``codecarbon offset status`` and ``ledger`` show of a ledger; needs no service and no SDK."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from codecarbon.cli import offset_status
from codecarbon.cli import offset_words as words
from codecarbon.cli.main import codecarbon
from codecarbon.cli.offset_account import Ask, tell_key
from codecarbon.cli.offset_watch import Manner
from codecarbon.config import Secret
from codecarbon.errors import ConfigError
from codecarbon.handlers.offset.entries import Balance
from codecarbon.handlers.offset.ledger import Ledger
from codecarbon.handlers.offset.provider import fingerprint_of
from codecarbon.units import UG_PER_LB
from tests.support.fresh_python import run_python
from tests.support.ledgers import DEAD, KG

KEY = "test_key_of_nobody_c6a1"
PLAN = words.Plan(KG // 2, is_automatic=True)


@pytest.fixture(autouse=True)
def zone(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def open_ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def open_ledger(environment="sandbox", key=KEY, **options):
        return Ledger(provider="oneclickimpact", fingerprint=fingerprint_of(key), environment=environment, **options)

    return open_ledger


@pytest.fixture
def with_key(monkeypatch):
    monkeypatch.setenv("CODECARBON_OFFSET_API_KEY", KEY)
    monkeypatch.setenv("CODECARBON_OFFSET_ENVIRONMENT", "sandbox")
    # Status only looks whether the service's library is installed, which it may not be where these tests run.
    sdk = ModuleType("makeimpact")
    sdk.__spec__ = ModuleSpec("makeimpact", None)
    monkeypatch.setitem(sys.modules, "makeimpact", sdk)


def shown(capsys, *arguments):
    codecarbon(["offset", *arguments], standalone_mode=False)
    return capsys.readouterr().out


def facts(output):
    """Labels and what stands behind them, marks left out and broken lines joined."""
    found, label = {}, ""
    for line in output.splitlines():
        content = line.removeprefix("sandbox: ").removeprefix("dry run: ")
        if not content.startswith("  ") and "  " in content:
            label, _, rest = content.partition("  ")
            found[label] = rest.strip()
        elif content.startswith("  ") and label:
            found[label] += f" {content.strip()}"
    return found


# --- questions --------------------------------------------------------------------------------------------------------


class Interrupting(io.StringIO):
    """A terminal at which somebody presses Ctrl-C."""

    def readline(self, *_):
        raise KeyboardInterrupt


def test_no_answer_is_no(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert Manner().agrees("Buy 2 lb for real money?", "production") is False
    assert "Buy 2 lb for real money?" in capsys.readouterr().err


def test_ctrl_c_at_a_question_says_that_nothing_was_done(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", Interrupting())
    with pytest.raises(KeyboardInterrupt):
        Manner().agrees("Buy 2 lb, without money?", "sandbox")
    assert capsys.readouterr().err.endswith("sandbox: nothing was done\n")


# --- status -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("open_ledger")
def test_status_without_a_ledger_says_so_and_makes_none(capsys, tmp_path):
    assert "Nothing was ever recorded here" in shown(capsys, "status")
    assert "Nothing was ever recorded" in shown(capsys, "ledger")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("with_key")
def test_status_tells_what_happens_next(capsys, open_ledger):
    open_ledger().accrue("run", 1, int(0.38 * KG), is_automatic=True)
    told = facts(shown(capsys, "status"))
    assert told["emitted"] == "0.380000 kg"
    assert told["bought"] == told["under way"] == told["unknown"] == "nothing"
    assert told["waiting"] == "0.380000 kg, for automatic buying from 0.5 kg on"
    assert told["next"] == "0.120000 kg more until 1 lb is bought automatically"
    assert (told["last bought"], told["counting now"]) == ("never", "no run")


@pytest.mark.usefixtures("with_key")
def test_status_without_the_sdk_says_how_to_install_it(capsys, open_ledger, monkeypatch):
    monkeypatch.setitem(sys.modules, "makeimpact", None)
    open_ledger().accrue("run", 1, KG, is_automatic=True)
    told = facts(shown(capsys, "status"))
    assert told["waiting"] == "1.000000 kg, for automatic buying from 0.5 kg on"
    assert told["next"] == "makeimpact is not installed, so nothing is bought: pip install 'codecarbon[offset]'"


def test_status_without_a_key_shows_every_account(capsys, open_ledger):
    open_ledger().accrue("run", 1, KG, is_automatic=True)
    open_ledger("production", "live_other_key_77e5").accrue("run", 1, KG, is_automatic=False)
    output = shown(capsys, "status")
    assert "Key:    none is configured" in output
    production, _, sandbox = output.partition("sandbox: OneClickImpact, sandbox")
    assert "OneClickImpact, production, key with fingerprint" in production
    assert sandbox.splitlines()[1:]
    assert all(line.startswith("sandbox: ") for line in sandbox.splitlines()[1:])
    assert "which are not configured here" in " ".join(production.split())


@pytest.mark.usefixtures("with_key")
def test_status_of_a_key_for_the_other_environment_says_that_nothing_is_bought(capsys, open_ledger, monkeypatch):
    monkeypatch.setenv("CODECARBON_OFFSET_ENVIRONMENT", "production")
    open_ledger("production", KEY).accrue("run", 1, KG, is_automatic=True)
    output = shown(capsys, "status")
    assert "Warning: nothing is bought, since the key is not a key of the production environment" in output
    assert facts(output)["next"].startswith("nothing is bought, since the key is not")


@pytest.mark.usefixtures("open_ledger", "with_key")
def test_status_of_a_service_that_nobody_announces_says_that_nothing_is_bought(capsys, monkeypatch):
    monkeypatch.setenv("CODECARBON_OFFSET_PROVIDER", "bushes")
    assert "Warning: nothing is bought, since offset_provider is not one of oneclickimpact" in shown(capsys, "status")


@pytest.mark.usefixtures("with_key")
def test_status_of_mass_for_buying_by_hand_says_it_once(capsys, open_ledger):
    open_ledger().accrue("run", 1, KG, is_automatic=False)
    assert facts(shown(capsys, "status"))["waiting"] == "1.000000 kg, for buying by hand only"


@pytest.mark.usefixtures("with_key")
def test_status_shows_the_key_by_four_letters(capsys, open_ledger):
    open_ledger().accrue("run", 1, KG, is_automatic=True)
    output = shown(capsys, "status")
    assert "key ending in c6a1" in output
    assert KEY not in output
    assert tell_key(Secret("test_1")) == f"key with fingerprint {fingerprint_of('test_1')[:8]}"


@pytest.mark.usefixtures("with_key")
def test_status_of_an_unknown_order_gives_the_command(capsys, open_ledger):
    ledger = open_ledger()
    ledger.accrue("run", 1, KG, is_automatic=True)
    offset = ledger.reserve(is_manual=False, threshold_ug=1, run_id="run", cap_ug=UG_PER_LB)
    ledger.mark_sent(offset.offset_id)
    told = facts(shown(capsys, "status"))
    assert "1 lb, sent since" in told["under way"]
    assert told["next"].endswith("should its process have ended: codecarbon offset reconcile --environment sandbox")
    ledger.mark_unknown(offset.offset_id, "no answer")
    told = facts(shown(capsys, "status"))
    assert f"(offset {offset.offset_id[:8]})" in told["unknown"]
    assert told["next"].startswith("nothing more is bought")
    assert told["warning"].endswith("run codecarbon offset reconcile --environment sandbox")


@pytest.mark.usefixtures("with_key")
def test_status_notices_an_order_that_was_left_behind(capsys, open_ledger):
    ledger = open_ledger(clock=lambda: time.time() - 600)
    ledger.accrue("run", 1, KG, is_automatic=True)
    offset = ledger.reserve(is_manual=False, threshold_ug=1, run_id="run", cap_ug=None)
    ledger.mark_sent(offset.offset_id)
    assert facts(shown(capsys, "status"))["warning"].startswith("an order was left without an answer: run codecarbon")


@pytest.mark.usefixtures("with_key")
def test_status_names_the_run_that_counts_and_the_last_that_did_not(capsys, open_ledger):
    ledger = open_ledger()
    ledger.claim_host("5b0fa12a-3dd7")
    ledger.skip("99990000-aaaa", "process 7 counts")
    told = facts(shown(capsys, "status"))
    assert told["counting now"].startswith(f"run 5b0fa12a of process {os.getpid()}, since ")
    assert told["not counted"].startswith("run 99990000 at ")
    assert told["not counted"].endswith(": process 7 counts")
    open_ledger("production", owner=DEAD).claim_host("gone")
    accounts = json.loads(shown(capsys, "status", "--json"))["accounts"]
    assert {account["environment"]: bool(account["counting"]) for account in accounts} == {
        "sandbox": True,
        "production": False,
    }


@pytest.mark.usefixtures("with_key")
def test_status_for_programs_is_exact(capsys, open_ledger):
    open_ledger().accrue("run", 1, 500_000_001, is_automatic=True)
    found = json.loads(shown(capsys, "status", "--json"))
    assert (found["schema"], found["has_key"], found["threshold_ug"]) == ("codecarbon.offset.status/1", True, KG // 2)
    (account,) = found["accounts"]
    assert (account["accrued_ug"], account["open_ug"], account["debt_ug"]) == (500_000_001, 500_000_001, 0)
    assert account["fingerprints"] == [fingerprint_of(KEY)]
    assert account["next"] == "1 lb will be bought at the next report of a run with this key"


@pytest.mark.usefixtures("with_key")
@pytest.mark.parametrize(("option", "count"), [("--dry-run", 1), ("--no-dry-run", 2), ("--environment=sandbox", 2)])
def test_status_of_some_accounts(capsys, open_ledger, option, count):
    for environment in ("sandbox", "production", "sandbox, dry run"):
        open_ledger(environment).accrue("run", 1, KG, is_automatic=True)
    assert shown(capsys, "status", option).count("emitted") == count


def test_a_wrong_word_names_the_option():
    with pytest.raises(ConfigError, match="option --environment"):
        Ask("prod").settings()


# --- what happens next ------------------------------------------------------------------------------------------------


def balance(**changes):
    return Balance(**{**dict.fromkeys(Balance._fields, 0), **changes})


@pytest.mark.parametrize(
    ("changes", "plan", "expected"),
    [
        ({}, PLAN, "0.500000 kg more until 1 lb is bought automatically"),
        ({"automatic_ug": KG // 2 - 1, "open_ug": KG // 2 - 1}, PLAN, "0.000001 kg more until 1 lb"),
        ({"automatic_ug": KG // 2, "open_ug": KG // 2}, PLAN, "1 lb will be bought at the next report"),
        ({"debt_ug": KG // 4}, PLAN, "0.750000 kg more until 1 lb"),
        ({"open_ug": KG}, PLAN, "0.500000 kg more until 1 lb is bought automatically; 2 lb can be bought by hand"),
        ({"open_ug": KG}, PLAN._replace(threshold_ug=5 * KG), "5.000000 kg more until 11 lb is bought"),
        ({"open_ug": KG}, PLAN._replace(is_automatic=False), "automatic buying is off; 2 lb can be bought by hand"),
        ({"open_ug": 1}, PLAN._replace(is_automatic=False), "automatic buying is off; less than 1 lb waits"),
        ({"open_ug": KG, "pending_ug": 1}, PLAN, "the answer about what is under way is awaited"),
        ({"open_ug": KG, "unknown_ug": 1}, PLAN, "nothing more is bought until it is known"),
    ],
)
def test_what_happens_next(changes, plan, expected):
    assert words.say_next(balance(**changes), plan, "production", is_current=True).startswith(expected)


@pytest.mark.parametrize(
    ("mass_ug", "nearest", "ceiling"),
    [
        (0, "0.000000 kg", "0.000000 kg"),
        (1, "0.000000 kg", "0.000001 kg"),
        (499_999_999, "0.500000 kg", "0.500000 kg"),
        (UG_PER_LB, "0.453592 kg", "0.453593 kg"),
        (1_234_567_890_123, "1,234.567890 kg", "1,234.567891 kg"),
    ],
)
def test_masses_in_words(mass_ug, nearest, ceiling):
    assert (words.kg_text(mass_ug), words.kg_text(mass_ug, is_ceiling=True)) == (nearest, ceiling)


@pytest.mark.parametrize(
    ("environment", "mark"),
    [
        ("production", ""),
        ("sandbox", "sandbox: "),
        ("production, dry run", "dry run: "),
        ("sandbox, dry run", "sandbox, dry run: "),
    ],
)
def test_every_line_is_marked(environment, mark):
    assert words.marked("one\n\ntwo\n", environment) == f"{mark}one\n{mark.rstrip()}\n{mark}two\n"


# --- ledger -----------------------------------------------------------------------------------------------------------


def test_ledger_lists_the_newest_first_and_explains_states(capsys, open_ledger):
    now_s = 1_795_262_400.0
    ledger = open_ledger(clock=lambda: now_s)
    ledger.accrue("11111111-a", 1, KG, is_automatic=True)
    now_s += 60
    ledger.accrue("22222222-b", 1, KG // 10, is_automatic=False)
    now_s += 60
    offset = ledger.reserve(is_manual=True, threshold_ug=1, run_id="by hand", cap_ug=UG_PER_LB)
    ledger.reject(offset.offset_id, "no card on file")
    lines = shown(capsys, "ledger").splitlines()
    name = offset.offset_id[:8]
    assert [line.split()[1:] for line in lines[2:5]] == [
        ["2026-11-21", "12:02", "offset", "-0.453592", "1", "rejected", name, "by", "hand"],
        ["2026-11-21", "12:01", "emitted", "0.100000", "22222222", "by", "hand"],
        ["2026-11-21", "12:00", "emitted", "1.000000", "11111111"],
    ]
    assert lines[5:7] == ["sandbox:", f"sandbox:   {name}  no card on file"]
    assert max(map(len, lines)) <= 80
    assert "  rejected   not bought; its mass waits again" in lines
    assert all(state in " ".join(words.STATES) for state in ("reserved", "sent", "confirmed", "unknown", "cancelled"))
    rows = json.loads(shown(capsys, "ledger", "--json", "--limit", "2"))["accounts"][0]["rows"]
    assert [(row["kind"], row["mass_ug"]) for row in rows] == [("offset", UG_PER_LB), ("accrual", KG // 10)]
    assert rows[0]["state"] == "rejected"


@pytest.mark.parametrize("limit", ["0", "-3", "many", "1.5"])
def test_a_wrong_limit_is_refused(limit):
    with pytest.raises(ConfigError, match="option --limit"):
        offset_status.ledger(Ask(), limit, json=False)


# --- start-up ---------------------------------------------------------------------------------------------------------


def test_help_loads_neither_ledger_nor_service():
    script = (
        "import sys; from codecarbon.cli.main import codecarbon\n"
        "codecarbon(['offset', 'now', '--help'], standalone_mode=False)\n"
        "print([name for name in ('sqlite3', 'requests', 'makeimpact', 'rich') if name in sys.modules],"
        " any(name.startswith('codecarbon.handlers.offset') for name in sys.modules))"
    )
    assert run_python(script).endswith("[] False")
