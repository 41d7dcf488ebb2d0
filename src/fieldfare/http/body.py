"""A request's body, JSON or form, read field by field under the same rules.

`Fields` holds the raw fields; its methods each read one, so a schema is a list of calls. Numbers
keep their decimal text until they are parsed exactly. `null`, and an empty string for an optional
field, mean absent. Every refusal is an `InvalidRequest` that names the field and what to send.
"""

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from fractions import Fraction
from urllib.parse import unquote_to_bytes

import msgspec

from fieldfare.kernel import limits
from fieldfare.kernel.errors import InvalidRequest, ProblemError
from fieldfare.kernel.numbers import NotANumber, parse_integer, parse_number
from fieldfare.kernel.text import TextRefused, clean_text

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"
MAX_FORM_FIELDS = 200

_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)
_CHARSETS = ("utf-8", "utf8", "us-ascii")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_JSON_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_JSON_STRING = msgspec.json.Decoder(str)
_JSON_STRINGS = msgspec.json.Decoder(dict[str, str])


class UnsupportedMediaType(ProblemError):
    """415: the body is neither JSON nor a form."""

    status = 415
    code = "unsupported_media_type"


def read_fields(content_type: str | None, body: bytes) -> "Fields":
    """The fields of a body; no Content-Type is read as JSON, and no body as no fields."""
    kind = (content_type or JSON_TYPE).partition(";")[0].strip().lower()
    if kind not in (JSON_TYPE, FORM_TYPE):
        raise UnsupportedMediaType(
            f"The body's Content-Type is {kind[:100]!r}. Send {JSON_TYPE} or {FORM_TYPE}."
        )
    charset = _CHARSET.search(content_type or "")
    if charset and charset.group(1).lower() not in _CHARSETS:
        raise UnsupportedMediaType("The body's charset must be UTF-8. Encode it so and send again.")
    if kind == FORM_TYPE:
        return FormFields(_form_pairs(body))
    return JsonFields(_json_object(body))


def _json_object(body: bytes) -> dict[str, msgspec.Raw]:
    if not body.strip():
        return {}
    try:
        fields = _JSON_OBJECT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _blame_field(body)
        raise InvalidRequest(
            f'The body is not a JSON object. Send one such as {{"tons": 0.5}} in UTF-8. ({error})',
            code="invalid_json",
        ) from error
    _refuse_twice_named(body, len(fields))
    return fields


def _refuse_twice_named(body: bytes, count: int) -> None:
    """Raise `InvalidRequest` if any object of a JSON body names a member twice.

    Readers differ on which of the two they take. `count` is of the body's own members: each has a
    colon, so a body with no more colons than that names none twice.
    """
    if body.count(b":") == count:
        return
    try:
        _NAMES.decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(
            "The body is nested too deep, or no JSON in UTF-8. Send a flat object.",
            code="invalid_json",
        ) from error


def _check_names(members: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            raise twice_named(name)
        seen.add(name)


_NAMES = json.JSONDecoder(object_pairs_hook=_check_names, parse_int=str, parse_float=str)


def _blame_field(body: bytes) -> None:
    """Raise `InvalidRequest` for the field whose value keeps a body from being JSON, if one is.

    Clients in languages that write NaN, or half of a surrogate pair, are told of the field.
    """
    try:
        loose = json.loads(body)
    except (ValueError, RecursionError):
        return
    for name, value in loose.items() if isinstance(loose, dict) else ():
        if isinstance(value, float) and not math.isfinite(value):
            raise not_a_number(name)
        if _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
            raise InvalidRequest(
                f"{name} must not contain half of a surrogate pair; send whole characters.",
                code="invalid_text",
                param=name,
            )


def _form_pairs(body: bytes) -> dict[str, str]:
    pairs: dict[str, str] = {}
    parts = [part for part in body.split(b"&") if part]
    if len(parts) > MAX_FORM_FIELDS:
        raise InvalidRequest(f"The form has over {MAX_FORM_FIELDS} fields. Send fewer.")
    for part in parts:
        raw_name, _, raw_value = part.partition(b"=")
        name, value = _form_text(raw_name), _form_text(raw_value)
        if name in pairs:
            raise twice_named(name)
        pairs[name] = value
    return pairs


def _form_text(raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            "The form is not UTF-8. Encode it as UTF-8 before percent-encoding.",
            code="invalid_form",
        ) from error


class Fields(ABC):
    """The fields of one body; each reader gives None for a field that is absent."""

    @abstractmethod
    def text_of_number(self, name: str) -> str | None:
        """The decimal text of a numeric field."""

    @abstractmethod
    def text(self, name: str) -> str | None:
        """The characters of a text field, not yet checked."""

    @abstractmethod
    def boolean(self, name: str) -> bool | None:
        """A field that is true or false."""

    @abstractmethod
    def pairs(self, name: str) -> Mapping[str, str] | None:
        """A field that maps strings to strings."""

    @abstractmethod
    def json(self, name: str) -> bytes | None:
        """A field that holds JSON, as it came; in a form, and in a JSON string, it is text."""

    def number(self, name: str) -> Fraction | None:
        """The exact value of a numeric field."""
        text = self.text_of_number(name)
        if text is None:
            return None
        try:
            return parse_number(text)
        except NotANumber as error:
            raise not_a_number(name) from error

    def integer(self, name: str) -> int | None:
        """The value of a whole-number field; `1.0` is whole, `1.5` is refused."""
        text = self.text_of_number(name)
        if text is None:
            return None
        try:
            return parse_integer(text)
        except NotANumber as error:
            raise InvalidRequest(
                f"{name} must be a whole number, for instance 5.",
                code="invalid_integer",
                param=name,
            ) from error

    def exact_integer(self, name: str) -> int | None:
        """A whole number with no bound of its own: at most what any client holds exactly."""
        value = self.integer(name)
        if value is not None and value > limits.EXACT_INTEGER:
            raise InvalidRequest(
                f"{name} must be a whole number of at most {limits.EXACT_INTEGER}.",
                code="invalid_integer",
                param=name,
            )
        return value

    def clean(self, name: str, *, max_characters: int, lines: bool = False) -> str | None:
        """A text field, normalised and checked; see `kernel.text`."""
        value = self.text(name)
        return _cleaned(name, value, max_characters, lines=lines) if value else None

    def one_of(self, name: str, choices: tuple[str, ...]) -> str | None:
        """A text field that takes one of a few words."""
        value = self.text(name) or None
        if value is not None and value not in choices:
            raise InvalidRequest(
                f"{name} must be one of: {', '.join(choices)}.", code="invalid_choice", param=name
            )
        return value

    def metadata(self, name: str) -> dict[str, str] | None:
        """A field of string pairs within the bounds for metadata; an empty one is absent."""
        pairs = self.pairs(name)
        if not pairs:
            return None
        if len(pairs) > limits.METADATA_PAIRS:
            raise InvalidRequest(
                f"{name} must have at most {limits.METADATA_PAIRS} pairs.",
                code="invalid_metadata",
                param=name,
            )
        cleaned = {
            _cleaned(name, key, limits.METADATA_KEY_CHARACTERS): _cleaned(
                name, value, limits.METADATA_VALUE_CHARACTERS
            )
            for key, value in pairs.items()
        }
        if "" in cleaned or len(cleaned) < len(pairs):
            raise InvalidRequest(
                f"{name} must have keys that differ and are not empty.",
                code="invalid_metadata",
                param=name,
            )
        return cleaned


def twice_named(name: str) -> InvalidRequest:
    """The refusal of a body that has a field twice."""
    return InvalidRequest(
        f"The field {name[:100]!r} is given twice. Send it once.",
        code="duplicate_field",
        param=name[:100],
    )


def not_a_number(name: str) -> InvalidRequest:
    """The refusal of a field that holds no number."""
    return InvalidRequest(
        f"{name} must be a number written in at most 30 characters, for instance 0.5.",
        code="invalid_number",
        param=name,
    )


def _cleaned(name: str, value: str, max_characters: int, *, lines: bool = False) -> str:
    try:
        return clean_text(value, max_characters=max_characters, lines=lines)
    except TextRefused as error:
        raise InvalidRequest(f"{name} {error}.", code="invalid_text", param=name) from error


class JsonFields(Fields):
    """The fields of a JSON object, each still as its own bytes."""

    def __init__(self, fields: dict[str, msgspec.Raw]) -> None:
        self._fields = fields

    def _raw(self, name: str) -> bytes | None:
        raw = self._fields.get(name)
        value = None if raw is None else bytes(raw).strip()
        return None if value in (b"null", b'""') else value

    def text_of_number(self, name: str) -> str | None:
        """See `Fields`; a JSON string still has its quotes, so it is no number."""
        raw = self._raw(name)
        return None if raw is None else raw.decode("utf-8", "replace")

    def text(self, name: str) -> str | None:
        """See `Fields`."""
        raw = self._raw(name)
        if raw is None:
            return None
        if not raw.startswith(b'"'):
            raise InvalidRequest(f"{name} must be a string.", code="invalid_text", param=name)
        try:
            return _JSON_STRING.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidRequest(
                f"{name} must be a string of valid Unicode.", code="invalid_text", param=name
            ) from error

    def json(self, name: str) -> bytes | None:
        """See `Fields`."""
        raw = self._raw(name)
        is_text = raw is not None and raw.startswith(b'"')
        return (self.text(name) or "").encode() if is_text else raw

    def boolean(self, name: str) -> bool | None:
        """See `Fields`; only `true` and `false`, never a string or a number."""
        raw = self._raw(name)
        if raw is None:
            return None
        if raw not in (b"true", b"false"):
            raise InvalidRequest(
                f"{name} must be true or false.", code="invalid_boolean", param=name
            )
        return raw == b"true"

    def pairs(self, name: str) -> Mapping[str, str] | None:
        """See `Fields`."""
        raw = self._raw(name)
        if raw is None:
            return None
        try:
            return _JSON_STRINGS.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidRequest(
                f"{name} must be an object whose values are strings.",
                code="invalid_metadata",
                param=name,
            ) from error


class FormFields(Fields):
    """The fields of a form, where everything is text; `metadata[key]=value` makes pairs."""

    def __init__(self, pairs: dict[str, str]) -> None:
        self._pairs = pairs

    def text_of_number(self, name: str) -> str | None:
        """See `Fields`."""
        return self.text(name)

    def text(self, name: str) -> str | None:
        """See `Fields`."""
        return self._pairs.get(name) or None

    def json(self, name: str) -> bytes | None:
        """See `Fields`."""
        text = self.text(name)
        return None if text is None else text.encode()

    def boolean(self, name: str) -> bool | None:
        """See `Fields`; `true`, `false`, `1` or `0` in any case, never a guess."""
        value = self.text(name)
        if value is None:
            return None
        if value.lower() not in _BOOLEANS:
            raise InvalidRequest(
                f"{name} must be true, false, 1 or 0.", code="invalid_boolean", param=name
            )
        return _BOOLEANS[value.lower()]

    def pairs(self, name: str) -> Mapping[str, str] | None:
        """See `Fields`."""
        if self.text(name):
            raise InvalidRequest(
                f"{name} must be sent in a form as {name}[key]=value, once for each pair.",
                code="invalid_metadata",
                param=name,
            )
        prefix = f"{name}["
        return {
            key[len(prefix) : -1]: value
            for key, value in self._pairs.items()
            if key.startswith(prefix) and key.endswith("]")
        }
