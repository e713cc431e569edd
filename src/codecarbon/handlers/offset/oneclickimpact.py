"""OneClickImpact, through its own SDK; this is the only module that imports ``makeimpact``.

The SDK's ``capture_carbon`` makes the purchase, but the one request that it sends goes through `exchange`, since its
own has no time-out, follows redirects, obeys proxies of the environment and hides the status. Everything known about a
purchase comes from there: it was not bought only if nothing left this machine, or if the service itself says so.

The wheel of ``makeimpact`` 2.0.0 and before also installs its tests, as a top-level package named ``tests``. This
repository's own ``tests`` comes first wherever it matters: see ``tests/offset/test_stray_tests.py``.
"""

from __future__ import annotations

import functools
import inspect
import math
import time
from typing import TYPE_CHECKING, Any

from codecarbon._version import __version__
from codecarbon.errors import MissingExtraError, OffsetError
from codecarbon.handlers.offset.amounts import MAX_POUNDS_PER_OFFSET
from codecarbon.handlers.offset.oneclickimpact_call import Call, Verdict
from codecarbon.handlers.offset.provider import (
    Account,
    Cancellation,
    Order,
    Outcome,
    Quote,
    Scan,
    check_base_url,
    check_environment,
    check_key,
    secret_of,
)
from codecarbon.units import SECONDS_PER_HOUR, kg_from_ug, ug_from_lb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codecarbon.config import Secret

ADDRESSES = {"production": "https://api.1clickimpact.com", "sandbox": "https://sandbox.1clickimpact.com"}
BUY = "/v1/capture_carbon"
CANCEL = "/v1/cancel_impact"
WHOAMI = "/v1/whoami"
TIMEOUT_S = (5.0, 30.0)
LONGEST_REASON = 200
LONGEST_NAME = 200
ACCOUNT_KEPT_S = 24 * SECONDS_PER_HOUR

NO_PRICE = "The service publishes no price: its dashboard shows what an offset costs."

# What the SDK's request method takes, name by name, with the defaults.
SIGNATURE: dict[str, Any] = {
    "self": inspect.Parameter.empty,
    "endpoint": inspect.Parameter.empty,
    "body": None,
    "method": "POST",
    "query_params": None,
}
CALLS = {
    "capture_carbon": {"amount", "notify", "metadata"},
    "cancel_impact": {"user_id", "time_utc", "reason"},
    "who_am_i": set(),
}
MAJOR = "2"
REMEDY = "nothing will be bought; pip install 'makeimpact>=2.0.0,<3', or a newer codecarbon"
# Whatever the SDK may stumble over once it has an answer; none of it tells whether the answer was a good one.
_STUMBLES = (LookupError, TypeError, AttributeError, ValueError, RuntimeError, OSError)


class OneClickImpact:
    """The service, for one key. Nothing is sent when it is made; no method raises for what goes wrong at the service.

    Args:
        key: The account's key.
        environment: "production" or "sandbox".
        base_url: Where to reach it; its own address by default.
        timeout_s: Longest wait for a connection and for data of a purchase, seconds.
        ca_bundle: File of the certificates to trust; None for those that requests comes with.
        sdk: The SDK's client class; the installed one by default.
        clock: Seconds since 1970.
        sleep: Waits for seconds, between tries to read records.

    Raises:
        ConfigError: An argument cannot be used, or the key is for the other environment.
        MissingExtraError: The SDK is not installed.
        OffsetError: The SDK is of a kind that cannot be trusted with a purchase.
    """

    name = "oneclickimpact"

    def __init__(
        self,
        *,
        key: Secret | str,
        environment: str,
        base_url: str | None = None,
        timeout_s: tuple[float, float] = TIMEOUT_S,
        ca_bundle: str | None = None,
        sdk: type | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.environment: str = check_environment(environment)
        check_key(key, self.environment)
        self._key = secret_of(key)
        self.base_url = ADDRESSES[self.environment] if base_url is None else check_base_url(base_url)
        self._timeout_s = timeout_s
        self._ca_bundle = ca_bundle
        self._client_class = guarded(_installed_sdk() if sdk is None else sdk)
        self._clock = clock
        self._sleep = sleep
        self._account: tuple[float, Account] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(environment={self.environment!r}, base_url={self.base_url!r})"

    def quote(self, pounds: int) -> Quote:
        """Say whose account would pay; the service publishes no price."""
        account, fault = self._ask_account()
        notes = [NO_PRICE]
        if self.environment == "sandbox":
            notes.insert(0, "This is the sandbox: nothing real is bought or charged.")
        if fault:
            notes.append(f"The key could not be checked: {fault}")
        who = None if account is None else account.email_masked or account.user_id
        return Quote(pounds, kg_from_ug(ug_from_lb(pounds)), None, who, " ".join(notes))

    def account(self) -> Account | None:
        """Say whose key it is; None when the service does not tell. A good answer is kept for a day."""
        return self._ask_account()[0]

    def purchase(self, order: Order) -> Outcome:
        """Buy whole pounds of carbon capture with exactly one request."""
        if type(order.pounds) is not int or not 1 <= order.pounds <= MAX_POUNDS_PER_OFFSET or not order.offset_id:
            return Outcome("not_bought", error_kind="order", message=f"{order.pounds!r} pounds cannot be ordered")
        metadata = {
            "codecarbon_offset_id": order.offset_id,
            "codecarbon_ledger_id": order.ledger_id,
            "codecarbon_run_id": order.run_id,
            "tool_version": __version__,
        }
        body = {"amount": order.pounds, "notify": False, "metadata": {k: v for k, v in metadata.items() if v}}
        call = self._call("POST", BUY, body, send_by_s=order.send_by_s)
        answer = _ask(call, lambda: self._client_class(call).capture_carbon(**body))
        if isinstance(answer, Verdict):
            return Outcome(
                "unknown" if answer.is_doubtful else "not_bought", error_kind=answer.kind, message=answer.words
            )
        return _outcome(answer)

    def cancel(self, user_id: str, time_utc: str, reason: str = "") -> Cancellation:
        """Cancel a purchase; doing so again does no harm."""
        if len(reason) > LONGEST_REASON:
            words = f"a reason has at most {LONGEST_REASON} characters"
            return Cancellation("not_cancelled", error_kind="order", message=words)
        body = {"user_id": user_id, "time_utc": time_utc} | ({"reason": reason} if reason else {})
        call = self._call("POST", CANCEL, body)
        answer = _ask(call, lambda: self._client_class(call).cancel_impact(**body))
        if isinstance(answer, Verdict):
            kind = answer.kind
            return Cancellation("unknown" if answer.is_doubtful else "not_cancelled", "", kind, answer.words)
        cancelled_on = getattr(answer, "cancelled_on", None)
        names = (getattr(answer, "user_id", None), getattr(answer, "time_utc", None))
        if names != (user_id, time_utc) or not _is_name(cancelled_on):
            return Cancellation("unknown", error_kind="answer", message="the answer is about something else")
        said = getattr(answer, "message", "")
        return Cancellation("cancelled", str(cancelled_on), message=call.clean(said) if isinstance(said, str) else "")

    def find(self) -> Scan:
        """Read all purchases of carbon capture of the account."""
        from codecarbon.handlers.offset.oneclickimpact_records import find_records

        return find_records(self._key, self.base_url, clock=self._clock, sleep=self._sleep)

    def _ask_account(self) -> tuple[Account | None, str]:
        """Return the account, or None and why."""
        kept = self._account
        if kept is not None and 0 <= self._clock() - kept[0] < ACCOUNT_KEPT_S:
            return kept[1], ""
        call = self._call("GET", WHOAMI, None)
        answer = _ask(call, lambda: self._client_class(call).who_am_i())
        if isinstance(answer, Verdict):
            return None, answer.words
        user_id, email = getattr(answer, "user_id", None), getattr(answer, "email", None)
        if not _is_name(user_id) or not isinstance(email, str):
            return None, "the service's answer has no account in it"
        account = Account(str(user_id), mask_email(email))
        self._account = (self._clock(), account)
        return account, ""

    def _call(self, method: str, endpoint: str, body: Mapping[str, Any] | None, *, send_by_s: float = math.inf) -> Call:
        return Call(
            method,
            endpoint,
            body,
            url=self.base_url + endpoint,
            key=self._key,
            timeout_s=self._timeout_s,
            ca_bundle=self._ca_bundle,
            send_by_s=send_by_s,
        )


def _ask(call: Call, ask: Callable[[], Any]) -> Any:
    """Let the SDK ask; return its answer, or a verdict when there is none to rely on."""
    try:
        answer = ask()
    except (OffsetError, _sdk_error(), *_STUMBLES) as error:
        if call.verdict is not None:
            return call.verdict
        if call.has_begun:
            return Verdict(True, "answer", f"the service's answer cannot be read ({type(error).__name__})")  # noqa: FBT003
        return Verdict(False, "sdk", f"the SDK sent nothing ({type(error).__name__})")  # noqa: FBT003
    if call.verdict is not None:
        return call.verdict
    if not call.has_begun:
        return Verdict(True, "sdk", "the SDK answered without a request that could be watched")  # noqa: FBT003
    return answer


def _outcome(answer: Any) -> Outcome:
    """Read the SDK's answer to a purchase; one that is not whole does not say that nothing was bought."""
    user_id, time_utc = getattr(answer, "user_id", None), getattr(answer, "time_utc", None)
    pounds = getattr(answer, "carbon_captured", None)
    if not _is_name(user_id) or not _is_name(time_utc):
        return Outcome("unknown", error_kind="answer", message="the service's answer does not name the purchase")
    if type(pounds) is not int or pounds < 1:
        words = "the service's answer does not say how many pounds were bought"
        return Outcome("unknown", error_kind="answer", message=words)
    return Outcome("bought", str(user_id), str(time_utc), pounds)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable() and bool(value.strip())


def mask_email(email: str) -> str:
    """Show the first letter of an address and its domain."""
    local, at, domain = "".join(char for char in email if char.isprintable()).partition("@")
    return f"{local[:1]}***{at}{domain}" if local else ""


# The SDK.


def _sdk_error() -> type[Exception]:
    import makeimpact

    error: type[Exception] = makeimpact.OneClickImpactError
    return error


def _installed_sdk() -> type:
    try:
        import makeimpact
    except ImportError as error:
        raise MissingExtraError("offset", "offsetting with OneClickImpact") from error
    sdk = getattr(makeimpact, "OneClickImpact", None)
    version = _version()
    if not isinstance(sdk, type) or version.partition(".")[0] != MAJOR:
        raise OffsetError(f"makeimpact {version} is not one of version {MAJOR}: {REMEDY}")
    return sdk


def _version() -> str:
    """What is installed; another major version may buy something else with the same words."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("makeimpact")
    except PackageNotFoundError:
        return "of an unknown version"


@functools.cache
def guarded(sdk: type) -> Callable[[Call], Any]:
    """Make a client class of the SDK's whose requests go where a `Call` sends them.

    It holds neither the key nor the address: should a later SDK find a way past its request method, that way leads
    nowhere and costs nothing.

    Raises:
        OffsetError: The SDK's methods are not those that this was written for.
    """
    _check_sdk(sdk)

    class Guarded(sdk):  # type: ignore[misc] # the SDK has no types
        def __init__(self, call: Call) -> None:
            super().__init__(api_key="kept-back")
            self.base_url = "https://kept-back.invalid"
            self._call = call

        def _make_request(
            self,
            endpoint: str,
            body: dict[str, Any] | None = None,
            method: str = "POST",
            query_params: dict[str, Any] | None = None,
        ) -> Any:
            return self._call.send(endpoint, body, method, query_params)

    return Guarded


def _check_sdk(sdk: type) -> None:
    request = getattr(sdk, "_make_request", None)
    takes = inspect.signature(request).parameters if inspect.isfunction(request) else {}
    # The order counts as well: the SDK passes by place.
    if [(name, takes[name].default) for name in takes] != [*SIGNATURE.items()] or inspect.iscoroutinefunction(request):
        raise OffsetError(f"the installed makeimpact sends its requests in an unknown way: {REMEDY}")
    for name, wanted in CALLS.items():
        method = getattr(sdk, name, None)
        known = set(inspect.signature(method).parameters) if inspect.isfunction(method) else set()
        if not inspect.isfunction(method) or not wanted <= known:
            raise OffsetError(f"the installed makeimpact has no {name}({', '.join(sorted(wanted))}): {REMEDY}")
