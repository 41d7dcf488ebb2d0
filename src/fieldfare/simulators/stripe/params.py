"""Parameters of a call as a typed struct, with Stripe's errors for those that do not fit.

A field that was not sent is `UNSET`; an empty string unsets a field, as Stripe has it.
"""

import re
from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from fieldfare.kernel import limits
from fieldfare.simulators.stripe.errors import ApiError, invalid
from fieldfare.simulators.stripe.shapes import Thing
from fieldfare.simulators.stripe.world import Call

S = TypeVar("S", bound="Params")
Text: TypeAlias = str | UnsetType
Number: TypeAlias = int | UnsetType
Flag: TypeAlias = bool | UnsetType
Texts: TypeAlias = list[str] | UnsetType
Metadata: TypeAlias = dict[str, str] | str | UnsetType

METHOD_TYPES_GONE = "2026-09-30"
"""The API version that took `payment_method_types` away."""
_UNKNOWN = re.compile(r"unknown field `(.*?)`")
_REQUIRED = re.compile(r"missing required field `(.*?)`")
_AT = re.compile(r" - at `\$\.?(.*?)`$")


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an endpoint takes."""


class Address(Params, frozen=True, kw_only=True):
    """A postal address."""

    city: Text = UNSET
    country: Text = UNSET
    line1: Text = UNSET
    line2: Text = UNSET
    postal_code: Text = UNSET
    state: Text = UNSET


def read(call: Call, kind: type[S]) -> S:
    """The call's parameters; raises `ApiError` (400) that names the one that does not fit."""
    try:
        found: S = msgspec.convert(call.params, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _not_fitting(str(error), call.params) from error
    _check_metadata(getattr(found, "metadata", UNSET))
    return found


def _not_fitting(message: str, params: dict[str, Any]) -> ApiError:
    at = _AT.search(message)
    where = _bracketed(at[1]) if at else ""
    if unknown := _UNKNOWN.search(message):
        name = _inside(where, unknown[1])
        return invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
    if required := _REQUIRED.search(message):
        name = _inside(where, required[1])
        return invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    value = params.get(where)
    if "Expected `int" in message:
        return invalid(f"Invalid integer: {value}", param=where, code="parameter_invalid_integer")
    reason = _AT.sub("", message)
    return invalid(f"Invalid {where or 'request'}: {reason}", param=where or None)


def _bracketed(path: str) -> str:
    """`card.number` or `expand[0]` as a form writes it: `card[number]`."""
    head, *inner = re.sub(r"\[(.*?)\]", r".\1", path).split(".")
    return head + "".join(f"[{name}]" for name in inner)


def _inside(where: str, name: str) -> str:
    return f"{where}[{name}]" if where else name


def _check_metadata(given: Metadata) -> None:
    if isinstance(given, str) and given:
        raise invalid("Invalid hash", param="metadata")
    if not isinstance(given, dict):
        return
    for name, value in given.items():
        if len(name) > limits.METADATA_KEY_CHARACTERS:
            raise invalid(
                f"Metadata keys must be at most {limits.METADATA_KEY_CHARACTERS} characters",
                param="metadata",
            )
        if len(value) > limits.METADATA_VALUE_CHARACTERS:
            raise invalid(
                f"Metadata values must be at most {limits.METADATA_VALUE_CHARACTERS} characters",
                param=f"metadata[{name}]",
            )


def merged_metadata(before: dict[str, str], given: Metadata) -> dict[str, str]:
    """Metadata after an update: an empty value removes its key, an empty whole removes all."""
    if given == "":
        return {}
    if not isinstance(given, dict):
        return before
    after = {name: value for name, value in {**before, **given}.items() if value != ""}
    if len(after) > limits.METADATA_PAIRS:
        raise invalid(
            f"You may only specify up to {limits.METADATA_PAIRS} metadata keys", param="metadata"
        )
    return after


def update_fields(thing: Thing, params: Params, *names: str) -> None:
    """Take over the parameters that were sent, metadata by merging."""
    for name in names:
        value = getattr(params, name)
        if name == "metadata":
            thing[name] = merged_metadata(thing[name], value)
        elif value is not UNSET:
            thing[name] = None if value == "" else value


def check_method_types(call: Call, types: Texts, allowed: Texts) -> None:
    """Raise `ApiError` (400) unless cards are asked for, by the parameter of the call's version."""
    if types is not UNSET and call.version >= METHOD_TYPES_GONE:
        raise invalid(
            "The parameter `payment_method_types` is no longer supported. Use "
            "`allowed_payment_method_types`, or leave it out to use dynamic payment methods.",
            param="payment_method_types",
            code="payment_method_types_no_longer_supported",
        )
    for name, value in (("payment_method_types", types), ("allowed_payment_method_types", allowed)):
        if isinstance(value, list) and "card" not in value:
            raise invalid("The simulator takes cards only.", param=name)


def text_or_none(value: Text) -> str | None:
    """What was sent, or None if nothing or an empty text was."""
    return value if isinstance(value, str) and value else None


def filled(template: Thing, given: Params | UnsetType) -> Thing:
    """`template` with the fields of a nested hash that were sent."""
    sent: Thing = msgspec.to_builtins(given) if isinstance(given, Params) else {}
    return {**template, **{name: value or None for name, value in sent.items()}}
