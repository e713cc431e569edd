"""Signatures made from the table, so that ``help()`` and ``inspect`` show every option where it always was."""

from __future__ import annotations

from inspect import Parameter, Signature, _ParameterKind

from codecarbon.config.table import SETTINGS, Setting
from codecarbon.config.values import Unset

# The decorator of version 3 lacked this one; it comes last there, so that no position moves.
_NOT_POSITIONAL_IN_DECORATOR = "force_mode_cpu_load"
_DECORATOR_EXTRAS_AFTER = "logger_preamble"


def build_signature(*, offline: bool = False) -> Signature:
    """The constructor's signature, without ``self``.

    Args:
        offline: Whether for the offline tracker, which has the keywords that name a place.
    """
    rows = [row for row in SETTINGS if offline or not row.is_offline]
    positional = [_parameter(row) for row in rows if row.is_positional]
    return Signature(positional + [_parameter(row, Parameter.KEYWORD_ONLY) for row in rows if not row.is_positional])


def build_decorator_signature() -> Signature:
    """The signature of ``track_emissions``: the function, then the options in the decorator's own order."""
    parameters = [Parameter("fn", Parameter.POSITIONAL_OR_KEYWORD, default=None)]
    keyword_only = []
    places = [_parameter(row) for row in SETTINGS if row.is_offline]
    for row in SETTINGS:
        if row.is_positional and row.name != _NOT_POSITIONAL_IN_DECORATOR:
            parameters.append(_parameter(row))
            if row.name == _DECORATOR_EXTRAS_AFTER:
                parameters.append(Parameter("offline", Parameter.POSITIONAL_OR_KEYWORD, default=False))
                parameters += places
        elif not row.is_offline:
            keyword_only.append(_parameter(row, Parameter.KEYWORD_ONLY))
    return Signature(parameters + keyword_only)


def _parameter(row: Setting, kind: _ParameterKind = Parameter.POSITIONAL_OR_KEYWORD) -> Parameter:
    # The default is shown but not passed: a wrapper that forwards every default must not override the environment.
    return Parameter(row.name, kind, default=Unset(repr(row.default)))
