"""Names, keys, environments and addresses: what is not clearly right buys nothing."""

from __future__ import annotations

import pickle

import pytest

from codecarbon.config import Secret
from codecarbon.errors import ConfigError
from codecarbon.handlers.offset.provider import (
    OffsetProvider,
    Order,
    Outcome,
    Quote,
    Scan,
    check_base_url,
    check_environment,
    check_key,
    fingerprint_of,
    get_provider_factory,
    make_provider,
    secret_of,
)
from tests.support.other_offsets import announce

KEY = "live_0123456789abcdef"


@pytest.mark.parametrize("word", ["production", "PRODUCTION", " Production\n"])
def test_production_is_meant_in_any_case(word):
    assert check_environment(word) == "production"


@pytest.mark.parametrize("word", ["sandbox", "SANDBOX", "Sandbox "])
def test_the_sandbox_is_meant_in_any_case(word):
    assert check_environment(word) == "sandbox"


@pytest.mark.parametrize("word", ["", " ", "prod", "test", "sand box", "production2", None, True, 1, b"sandbox"])
def test_any_other_word_is_refused_and_never_production(word):
    with pytest.raises(ConfigError, match="offset_environment") as caught:
        check_environment(word, "environment")
    assert caught.value.origin == "environment"


@pytest.mark.parametrize(("key", "environment"), [("live_abc", "sandbox"), ("test_abc", " Production")])
def test_a_key_of_the_other_environment_is_refused_without_being_shown(key, environment):
    with pytest.raises(ConfigError, match="offset_api_key") as caught:
        check_key(key, environment)
    assert key not in str(caught.value)
    assert key not in repr(caught.value)


@pytest.mark.parametrize(("key", "environment"), [("live_abc", "production"), ("test_abc", "SANDBOX")])
def test_a_key_of_the_environment_gives_no_warning(key, environment):
    assert check_key(Secret(key), environment) == ""


def test_a_key_that_says_nothing_gives_words_for_a_warning():
    words = check_key("abcdef", "production")
    assert "live_" in words
    assert "abcdef" not in words


@pytest.mark.parametrize("key", ["", "  ", "live_a b", "live_\nx", "live_ü", "live_\x00"])
def test_what_cannot_be_a_key_is_refused_before_it_is_needed(key):
    with pytest.raises(ConfigError, match="offset_api_key") as caught:
        secret_of(key)
    assert "live_" not in str(caught.value)


def test_blanks_around_a_key_are_no_part_of_it():
    assert fingerprint_of(f" {KEY}\n") == fingerprint_of(Secret(KEY))


def test_a_fingerprint_differs_and_does_not_tell_the_key():
    assert fingerprint_of(KEY) != fingerprint_of(KEY + "0")
    assert KEY not in fingerprint_of(KEY)
    assert len(fingerprint_of(KEY)) == 64


@pytest.mark.parametrize("url", ["https://offsets.example", "http://127.0.0.1:8080", "http://localhost:1/"])
def test_https_and_this_machine_may_be_sent_a_key(url):
    assert check_base_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    ["http://offsets.example", "http://10.0.0.1", "ftp://127.0.0.1", "", "offsets.example", "https://a:b@c.example"],
)
def test_any_other_address_is_refused(url):
    with pytest.raises(ConfigError, match="offset_base_url"):
        check_base_url(url)


class Minimal:
    """The least that another distribution can announce."""

    name = "minimal"

    def __init__(self, *, key, environment, base_url):
        self.environment = environment
        self.arguments = (key, environment, base_url)

    def quote(self, pounds):
        return Quote(pounds, 0.0, None, None, "")

    def purchase(self, order: Order):
        return Outcome("not_bought")

    def find(self):
        return Scan((), True, None)


class Halved:
    """Lacks two methods."""

    name = "halved"

    def __init__(self, *, key, environment, base_url):
        self.environment = environment

    def quote(self, pounds):
        return Quote(pounds, 0.0, None, None, "")


def make_number(**options):
    return 7


@pytest.fixture
def announced(tmp_path):
    """Names announced by a distribution that is installed for this test."""
    targets = {"minimal": "Minimal", "halved": "Halved", "number": "make_number", "gone": "Gone"}
    names = {name: f"{__name__}:{attribute}" for name, attribute in targets.items()}
    with announce(tmp_path, {**names, "lost": "no_such_module:Gone"}):
        yield


@pytest.mark.usefixtures("announced")
def test_another_distribution_can_announce_a_service():
    made = make_provider("minimal", key=f" {KEY} ", environment=" Sandbox", base_url="http://127.0.0.1:9/")
    assert isinstance(made, OffsetProvider)
    assert made.arguments == (Secret(KEY), "sandbox", "http://127.0.0.1:9")


@pytest.mark.usefixtures("announced")
@pytest.mark.parametrize("name", ["halved", "number", "gone", "lost", "unknown"])
def test_a_name_that_leads_to_no_service_is_refused(name):
    with pytest.raises(ConfigError, match="offset_provider"):
        make_provider(name, key=KEY, environment="production")


def test_an_unknown_name_is_told_what_there_is():
    with pytest.raises(ConfigError, match="oneclickimpact"):
        get_provider_factory("acme")


@pytest.mark.parametrize(
    "arguments",
    [
        {"key": "", "environment": "production"},
        {"key": KEY, "environment": "prod"},
        {"key": KEY, "environment": "production", "base_url": "http://offsets.example"},
    ],
)
def test_bad_arguments_are_refused_before_a_service_is_made(arguments):
    with pytest.raises(ConfigError):
        make_provider("minimal", **arguments)


def test_records_survive_pickling():
    order = Order("o", 1, "l", "r")
    assert pickle.loads(pickle.dumps(order)) == order
