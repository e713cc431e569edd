"""``codecarbon offset`` through the real script and the real SDK; what counts is how many orders the service saw."""

from __future__ import annotations

import math
import signal
import time

import pytest

from codecarbon.units import UG_PER_LB
from tests.support.fakes.oneclickimpact import BUY, CANCEL, RECORDS, FakeOneClickImpact
from tests.support.ledgers import DEAD
from tests.support.offset_program import KEYS, OffsetProgram

COMMANDS = [["status"], ["ledger"], ["now"], ["reconcile"], ["cancel"]]


@pytest.fixture
def fake():
    with FakeOneClickImpact() as server:
        yield server


@pytest.fixture(params=["production", "sandbox"])
def program(request, tmp_path, fake):
    return OffsetProgram(tmp_path, fake, request.param)


@pytest.fixture
def real(tmp_path, fake):
    return OffsetProgram(tmp_path, fake)


def is_accounted(program):
    """What was bought is what the ledger says, and never more than was emitted."""
    balance = program.ledger().balance()
    assert program.fake.pounds_bought(program.environment) * UG_PER_LB == balance.confirmed_ug <= balance.accrued_ug
    return True


# --- now --------------------------------------------------------------------------------------------------------------


def test_now_buys_whole_pounds_once_and_carries_the_rest(program, fake):
    program.emit(1.2)
    answer = program.json("now", "--yes")
    assert (fake.posts, fake.pounds_bought(program.environment)) == (1, 2)
    assert (answer["schema"], answer["result"]) == ("codecarbon.offset.now/1", "bought")
    assert (answer["environment"], answer["quote"]["mass_lb"]) == (program.environment, 2)
    assert [(offset["state"], offset["bought_lb"]) for offset in answer["offsets"]] == [("confirmed", 2)]
    assert answer["balance"]["open_ug"] == 1_200_000_000 - 2 * UG_PER_LB
    assert answer["balance"]["open_kg"] == 0.29281526
    assert is_accounted(program)


def test_now_shows_the_quote_and_says_what_it_did(program, fake):
    program.emit(0.6)
    lines = program.run("now", "--yes").stdout.splitlines()
    mark = "" if program.environment == "production" else "sandbox: "
    assert all(line.startswith(mark) for line in lines)
    told = {label: " ".join(rest) for label, *rest in (line.removeprefix(mark).split() for line in lines)}
    assert told["to"] == "buy 1 lb of captured CO2 (0.453592 kg)"
    assert told["from"] == f"OneClickImpact, {program.environment}"
    assert told["account"] == "a***@example.org"
    assert told["price"] == "not known"
    assert sum("publishes no price" in line or "price" in line for line in lines) == 2
    assert told["for"] == "0.600000 kg that waits; 0.146408 kg stays for the next time"
    assert told["bought"].startswith("1 lb (0.453592 kg): offset ")
    assert fake.posts == 1


def test_now_ignores_the_threshold_but_not_the_pound(real, fake):
    real.emit(0.46, is_automatic=False)
    real.run("now", "--yes", CODECARBON_OFFSET_THRESHOLD="5", CODECARBON_OFFSET_MAX_PER_RUN_KG="0.1")
    assert fake.posts == 1
    answer = real.json("now", "--yes")
    assert (answer["result"], answer["quote"], fake.posts) == ("nothing_due", None, 1)
    assert "0.006408 kg waits" in answer["message"]


def test_now_buys_some_pounds_and_no_more_than_waits(real, fake):
    real.emit(2.4)
    real.run("now", "--pounds", "2", "--yes")
    assert fake.pounds_bought() == 2
    failed = real.run("now", "--pounds", "4", "--yes", code=1)
    assert failed.stderr == "nothing was bought: 1.492815 kg waits, enough for 3 lb only\n"
    assert fake.posts == 1


@pytest.mark.parametrize("pounds", ["x", "0", "-1", "1.5", ""])
def test_a_wrong_number_of_pounds_is_a_usage_error(real, fake, pounds):
    real.emit(2.4)
    assert "option --pounds" in real.run("now", f"--pounds={pounds}", "--yes", code=2).stderr
    assert fake.log == []


@pytest.mark.parametrize("words", [["now"], ["cancel", "abc"], ["reconcile", "--release"]], ids=lambda words: words[0])
def test_what_asks_refuses_where_nobody_can_be_asked(real, fake, words):
    real.emit(2.4)
    assert "there is no terminal to ask on" in real.run(*words, code=2).stderr
    assert fake.log == []


@pytest.mark.parametrize(
    ("typed", "code", "posts"), [(b"n\n", 1, 0), (b"\n", 1, 0), (b"\x04", 1, 0), (b"\x03", 130, 0), (b"y\n", 0, 1)]
)
def test_now_asks_on_a_terminal(program, fake, typed, code, posts):
    program.emit(1.0)
    terminal = program.terminal("now")
    question = "without money" if program.environment == "sandbox" else "for real money"
    terminal.read_until(rf"Buy 2 lb,? {question}\?.*: ")
    terminal.send(typed)
    program.check(terminal.finish())
    assert (terminal.exit_code, fake.posts) == (code, posts)
    assert is_accounted(program)


def test_now_never_buys_more_than_it_showed(real, fake):
    real.emit(0.6)
    terminal = real.terminal("now")
    terminal.read_until("Buy 1 lb")
    real.emit(5.0)
    terminal.send(b"y\n")
    terminal.finish()
    assert (terminal.exit_code, fake.posts, fake.pounds_bought()) == (0, 1, 1)


def test_now_buys_nothing_when_somebody_else_was_faster(real, fake):
    real.emit(0.6)
    terminal = real.terminal("now")
    terminal.read_until("Buy 1 lb")
    real.run("now", "--yes")
    terminal.send(b"y\n")
    assert "is held" in terminal.finish()
    assert (terminal.exit_code, fake.posts, fake.pounds_bought()) == (1, 1, 1)


def test_now_says_what_the_service_refuses(program, fake):
    program.emit(0.6)
    fake.refuse_next(1, "invalid_request_error", "no card on file", path=BUY)
    answer = program.json("now", "--yes", code=1)
    assert answer["result"] == "not_bought"
    assert "no card on file" in answer["message"]
    assert [offset["state"] for offset in answer["offsets"]] == ["rejected"]
    assert (fake.posts, answer["balance"]["open_kg"]) == (1, 0.6)


def test_now_buys_nothing_when_the_records_cannot_be_read(real, fake):
    real.emit(0.6)
    fake.refuse_next(9, "key_error", "API Key does not exist", path=RECORDS)
    failed = real.run("now", "--yes", code=1)
    assert "API Key does not exist" in failed.stderr
    assert fake.posts == 0


# --- unknown ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def doubtful(program, fake):
    """An order that was carried out, whose answer got lost, and whose record does not show yet."""
    program.emit(1.2)
    fake.visible_after_s = math.inf
    fake.fail_next(1, path=BUY, status=502, acts=True)
    answer = program.json("now", "--pounds", "1", "--yes", code=3)
    assert (answer["result"], answer["offsets"][0]["state"]) == ("unknown", "unknown")
    return program


def test_unknown_blocks_until_the_record_shows(doubtful, fake):
    assert doubtful.json("now", "--yes", code=3)["result"] == "blocked"
    waiting = doubtful.json("reconcile", code=3)
    assert (waiting["result"], waiting["is_scan_complete"], len(waiting["still_unknown"])) == ("unknown", True, 1)
    assert "codecarbon offset reconcile" in doubtful.run("status").stdout
    assert fake.posts == 1
    fake.visible_after_s = 0.0
    settled = doubtful.json("reconcile")
    assert (settled["result"], len(settled["confirmed"]), settled["still_unknown"]) == ("settled", 1, [])
    assert (fake.posts, is_accounted(doubtful)) == (1, True)
    doubtful.run("now", "--yes")
    assert (fake.posts, fake.pounds_bought(doubtful.environment), is_accounted(doubtful)) == (2, 2, True)


def test_advice_leads_to_the_account_that_it_is_about(doubtful):
    option = " --environment sandbox" if doubtful.environment == "sandbox" else ""
    said = doubtful.run("reconcile", code=3).stderr
    assert f"again later: codecarbon offset reconcile{option}\n" in said
    assert f"codecarbon offset reconcile{option} --release" in said


def test_release_needs_a_complete_scan_of_the_same_call(doubtful, fake):
    doubtful.run("reconcile", code=3)
    fake.refuse_next(9, "key_error", path=RECORDS)
    answer = doubtful.json("reconcile", "--release", "--yes", code=1)
    assert (answer["result"], answer["released"], len(answer["still_unknown"])) == ("incomplete", [], 1)
    assert doubtful.ledger().balance().unknown_ug == UG_PER_LB


def test_release_asks_for_each_and_tells_the_risk(real, fake):
    real.emit(2.4)
    dead = real.ledger(owner=DEAD)
    for offset in [
        dead.reserve(is_manual=True, threshold_ug=1, run_id=run_id, cap_ug=UG_PER_LB) for run_id in ("first", "second")
    ]:
        assert dead.mark_sent(offset.offset_id)
    terminal = real.terminal("reconcile", "--release")
    said = terminal.read_until(r"Give up offset \w+ of 1 lb\?")
    assert "paid for, twice" in " ".join(said.split())
    terminal.send(b"n\n")
    terminal.read_until(r"(?s)Give up.*Give up offset \w+ of 1 lb\?")
    terminal.send(b"y\n")
    terminal.finish()
    states = sorted(offset.state.value for offset in real.ledger().offsets())
    assert (terminal.exit_code, states, fake.posts) == (3, ["rejected", "unknown"], 0)


def test_what_was_given_up_waits_again(real, fake):
    real.emit(0.6)
    fake.fail_next(1, path=BUY, status=502)
    real.run("now", "--yes", code=3)
    answer = real.json("reconcile", "--release", "--yes")
    assert (answer["result"], len(answer["released"]), answer["balance"]["open_kg"]) == ("settled", 1, 0.6)
    real.run("now", "--yes")
    assert (fake.posts, fake.pounds_bought(), is_accounted(real)) == (2, 1, True)


def test_reconcile_settles_what_a_dead_process_left(real, fake):
    real.emit(0.6)
    dead = real.ledger(owner=DEAD)
    offset = dead.reserve(is_manual=True, threshold_ug=1, run_id="gone", cap_ug=None)
    assert dead.mark_sent(offset.offset_id)
    fake.book(1, metadata={"codecarbon_offset_id": offset.offset_id})
    answer = real.json("reconcile")
    assert [found["offset_id"] for found in answer["confirmed"]] == [offset.offset_id]
    assert (fake.posts, is_accounted(real)) == (0, True)


def test_reconcile_leaves_an_order_of_a_living_process_alone(real, fake):
    real.emit(0.6)
    offset = real.ledger().reserve(is_manual=True, threshold_ug=1, run_id="run", cap_ug=None)
    assert real.ledger().mark_sent(offset.offset_id)
    answer = real.json("reconcile", "--release", "--yes")
    assert ([found["offset_id"] for found in answer["under_way"]], answer["released"]) == ([offset.offset_id], [])
    assert "left to the process that buys it" in answer["message"]
    assert real.ledger().offset(offset.offset_id).state.value == "sent"


def test_reconcile_with_nothing_to_do_says_so(program, fake):
    program.emit(0.6)
    assert program.run("reconcile").stdout.endswith("nothing is unknown: there was nothing to settle\n")
    assert fake.posts == 0


# --- waiting ----------------------------------------------------------------------------------------------------------


def test_a_slow_service_shows_that_something_goes_on(program, fake):
    program.emit(0.6)
    fake.latency_s = 1.3
    mark = "" if program.environment == "production" else "sandbox: "
    assert f"codecarbon: {mark}reading the records of OneClickImpact…\n" in program.run("reconcile").stderr


def test_ctrl_c_while_an_order_is_out_waits_for_its_answer(real, fake):
    real.emit(0.6)
    terminal = real.terminal("now")
    terminal.read_until("Buy 1 lb")
    fake.latency_s = 1.5
    terminal.send(b"y\n")
    terminal.read_until("buying")
    terminal.send(b"\x03")
    assert "Ctrl-C once more" in terminal.finish()
    assert (terminal.exit_code, fake.posts, fake.pounds_bought(), is_accounted(real)) == (0, 1, 1, True)


def test_a_second_ctrl_c_leaves_the_order_to_the_records(real, fake):
    real.emit(0.6)
    fake.hang_next(1, path=BUY, acts=True)
    terminal = real.terminal("now", "--yes")
    terminal.read_until("buying")
    while not fake.posts:
        time.sleep(0.01)
    terminal.send(b"\x03")
    terminal.read_until("Ctrl-C once more")
    terminal.send(b"\x03")
    assert "codecarbon offset reconcile tells" in terminal.finish()
    assert terminal.exit_code == 130
    assert real.json("reconcile")["result"] == "settled"
    assert (fake.posts, fake.pounds_bought(), is_accounted(real)) == (1, 1, True)


def test_a_killed_command_is_settled_by_the_records(real, fake):
    real.emit(0.6)
    fake.hang_next(1, path=BUY, acts=True)
    terminal = real.terminal("now", "--yes")
    terminal.read_until("to buy")
    while not fake.posts:
        time.sleep(0.01)
    terminal.process.send_signal(signal.SIGKILL)
    terminal.finish()
    assert len(real.json("reconcile")["confirmed"]) == 1
    assert (fake.posts, is_accounted(real)) == (1, True)


def test_a_ledger_that_is_lost_while_an_order_is_out_is_no_failure_but_a_doubt(real, fake):
    real.emit(0.6)
    terminal = real.terminal("now")
    terminal.read_until("Buy 1 lb")
    fake.hang_next(1, path=BUY, acts=True)
    terminal.send(b"y\n")
    while not fake.posts:
        time.sleep(0.01)
    real.ledger_path.rename(real.home / "elsewhere")
    fake.stop()
    assert "an order may be out: codecarbon offset reconcile tells" in " ".join(terminal.finish().split())
    assert (terminal.exit_code, fake.posts, fake.pounds_bought()) == (3, 1, 1)
    (real.home / "elsewhere").rename(real.ledger_path)
    assert real.ledger().unsettled()[0].state.value == "sent"


def test_the_simplest_terminal_can_be_asked(real, fake):
    real.emit(0.6)
    terminal = real.terminal("now", TERM="dumb")
    terminal.read_until("Buy 1 lb")
    terminal.send(b"n\n")
    terminal.finish()
    assert (terminal.exit_code, fake.posts) == (1, 0)


def test_a_purchase_that_was_made_twice_is_told_and_can_be_cancelled(real, fake):
    real.emit(1.2)
    offset_id = real.json("now", "--pounds", "1", "--yes")["offsets"][0]["offset_id"]
    second = fake.book(1, metadata={"codecarbon_offset_id": offset_id})
    said = real.run("reconcile").stdout
    assert f"1 lb at {second.time_utc} are in the records a second time for offset {offset_id[:8]}" in said
    assert is_accounted(real)
    name = f"{second.user_id}-{second.time_utc}"
    assert name in real.run("ledger").stdout
    real.run("cancel", name, "--yes")
    assert fake.pounds_bought() == 1
    assert is_accounted(real)


# --- cancel -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bought(program):
    """An offset that was bought, out of the automatic pool."""
    program.emit(0.6)
    return program.json("now", "--yes")["offsets"][0]["offset_id"]


def test_cancelled_mass_waits_for_buying_by_hand_only(program, fake, bought):
    answer = program.json("cancel", bought[:8], "--reason", "twice", "--yes")
    assert (answer["result"], answer["offsets"][0]["state"]) == ("cancelled", "cancelled")
    assert (answer["balance"]["open_kg"], answer["balance"]["automatic_ug"]) == (0.6, 600_000_000 - UG_PER_LB)
    assert fake.pounds_bought(program.environment) == 0
    assert fake.books[program.environment][0].reason == "twice"
    assert "was cancelled at" in program.run("cancel", bought, "--yes").stdout
    assert fake.count(CANCEL) == 1
    assert fake.posts == 1


def test_cancel_shows_what_and_asks(real, fake):
    real.emit(0.6)
    offset_id = real.json("now", "--yes")["offsets"][0]["offset_id"]
    for typed, count in ((b"n\n", 0), (b"y\n", 1)):
        terminal = real.terminal("cancel", offset_id[:8])
        assert "for buying by hand only" in terminal.read_until(rf"Cancel offset {offset_id[:8]} of 1 lb\?")
        terminal.send(typed)
        terminal.finish()
        assert (terminal.exit_code, fake.count(CANCEL)) == (1 - count, count)


def test_a_cancelling_without_an_answer_changes_nothing(program, fake, bought):
    fake.fail_next(1, path=CANCEL, status=503)
    assert program.json("cancel", bought, "--yes", code=3)["offsets"][0]["state"] == "confirmed"
    fake.refuse_next(1, "invalid_request_error", "already received", path=CANCEL)
    assert "already received" in program.run("cancel", bought, "--yes", code=1).stderr
    assert is_accounted(program)


def test_only_what_was_bought_can_be_cancelled(real, fake):
    real.emit(0.6)
    fake.fail_next(1, path=BUY, status=502)
    offset_id = real.json("now", "--yes", code=3)["offsets"][0]["offset_id"]
    assert "only what was bought can be cancelled" in real.run("cancel", offset_id, "--yes", code=1).stderr
    assert "lists them" in real.run("cancel", "nothing", "--yes", code=1).stderr
    assert "lists them" in real.run("cancel", "", "--yes", code=1).stderr
    assert "option --reason" in real.run("cancel", offset_id, "--reason", "x" * 201, "--yes", code=2).stderr
    assert fake.count(CANCEL) == 0


# --- whose account ----------------------------------------------------------------------------------------------------


def test_a_dry_run_has_its_own_account_and_orders_nothing(program, fake):
    program.emit(1.0)
    program.emit(2.0, f"{program.environment}, dry run")
    answer = program.json("now", "--dry-run", "--yes")
    assert (answer["environment"], answer["result"]) == (f"{program.environment}, dry run", "bought")
    assert (fake.posts, answer["balance"]["open_ug"]) == (0, 2_000_000_000 - 4 * UG_PER_LB)
    assert program.ledger().balance().confirmed_ug == 0
    lines = program.run("ledger", "--dry-run").stdout.splitlines()[:4]
    assert all("dry run: " in line for line in lines)
    failed = program.run("cancel", answer["offsets"][0]["offset_id"], "--dry-run", "--yes", code=1)
    assert "cannot cancel" in failed.stderr


@pytest.mark.parametrize(("key", "word"), [("production", "sandbox"), ("sandbox", "production")])
def test_a_key_of_the_other_environment_is_refused(real, fake, key, word):
    failed = real.run("now", "--environment", word, "--yes", code=1, CODECARBON_OFFSET_API_KEY=KEYS[key])
    assert "offset_api_key" in failed.stderr
    assert fake.log == []


@pytest.mark.parametrize("command", [["status"], ["now", "--yes"]])
@pytest.mark.parametrize("word", ["prod", "", "Sandbox2"])
def test_a_wrong_word_for_the_environment_is_a_usage_error(real, fake, command, word):
    assert "option --environment" in real.run(*command, "--environment", word, code=2).stderr
    assert fake.log == []


def test_without_a_key_nothing_is_bought_and_the_way_to_one_is_told(real, fake):
    real.emit(1.0)
    failed = real.run("now", "--yes", code=1, CODECARBON_OFFSET_API_KEY="")
    assert "offset_api_key" in failed.stderr
    assert fake.log == []


def test_without_the_sdk_the_extra_is_named(real, fake, tmp_path):
    real.emit(1.0)
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "makeimpact.py").write_text("raise ImportError('not here')\n")
    failed = real.run("now", "--yes", code=1, PYTHONPATH=str(tmp_path / "path"))
    assert "pip install 'codecarbon[offset]'" in failed.stderr
    assert fake.log == []


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_no_option_takes_a_key(real, words):
    assert "key" not in [word.strip("-[],. ").lower() for word in real.run(*words, "--help").stdout.split("--")][1:]
    assert "api-key" not in real.run(*words, "--help").stdout


def test_a_damaged_ledger_is_left_alone(real, fake):
    real.emit(1.0)
    content = b"no ledger at all" * 100
    real.ledger_path.write_bytes(content)
    for words in (["status"], ["ledger"], ["now", "--yes"], ["reconcile"]):
        assert str(real.ledger_path) in real.run(*words, code=1).stderr
    assert real.ledger_path.read_bytes() == content
    assert fake.posts == 0
