"""Orders with one bad field each: what is sent, and the code and the field that are to be told.

A case is written once, as JSON; the same fields are sent as a form where a form can say them.
"""

import json
from dataclasses import dataclass

PRICE_CENTS = 1040
"""Of 0.45 t of the default portfolio, which every case orders unless it says otherwise."""


@dataclass(frozen=True)
class Bad:
    """An order of 0.45 t from credits with some fields as in `fields`: JSON texts, None: left out.

    `only_json` marks what a form cannot say, or says rightly: `tons="0.45"` is right in a form.
    """

    fields: dict[str, str | None]
    code: str
    param: str
    only_json: bool = False

    @property
    def label(self) -> str:
        """A short name for the test's report."""
        shown = ",".join(f"{name}={text}" for name, text in self.fields.items())
        return shown.encode("unicode_escape").decode()[:60]

    def as_json(self) -> bytes:
        """The body as JSON, with every value as it is written in the case."""
        members = [f"{json.dumps(k)}:{v}" for k, v in self._all().items() if v is not None]
        return ("{" + ",".join(members) + "}").encode()

    def as_form(self) -> dict[str, str]:
        """The same body as a form."""
        form: dict[str, str] = {}
        for name, text in self._all().items():
            if text is not None and text.startswith("{"):
                form |= {f"{name}[{key}]": value for key, value in json.loads(text).items()}
            elif text is not None:
                form[name] = json.loads(text) if text.startswith('"') else text
        return form

    def _all(self) -> dict[str, str | None]:
        return {"tons": "0.45", "paymentMethod": '"credits"', **self.fields}


def bad(field: str, text: str | None, code: str, *, only_json: bool = False) -> Bad:
    """A case of one field."""
    return Bad({field: text}, code, field, only_json)


def text_of(length: int) -> str:
    """A JSON string of so many characters."""
    return json.dumps("n" * length)


def pairs(count: int) -> str:
    """A JSON object of so many pairs."""
    return json.dumps({f"key{number}": "v" for number in range(count)})


TONS = [
    *(bad("tons", text, "invalid_tons") for text in (
        None, '""', "0", "0.0", "-0", "-1", "-0.45", "0e9", "0.0000000004", "1000000.000000001",
        "1000001", "1e99",
    )),
    *(bad("tons", text, "invalid_number") for text in (
        "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e100", "true", "false", '"abc"',
        '"1,5"', '"0x10"', '"1_000"', '"\\u0663"', '" 1"', '"1 t"', "1" * 31, "0." + "1" * 29,
    )),
    *(bad("tons", text, "invalid_number", only_json=True) for text in (
        '"0.45"', "[0.45]", "{}", "[]", '{"a": "b"}',
    )),
    bad("tons", "null", "invalid_tons", only_json=True),
]  # fmt: skip
PORTFOLIO = [
    *(bad("portfolioId", text, "portfolio_not_found") for text in (
        "9999", "0", "-1", "-1e20", "2147483648", str(2**53 - 1),
    )),
    *(bad("portfolioId", text, "invalid_integer") for text in (
        "1.5", "true", '"abc"', "1e400", "1e20", str(2**53), "1" * 31,
    )),
    bad("portfolioId", '"12"', "invalid_integer", only_json=True),
    bad("portfolioId", "[12]", "invalid_integer", only_json=True),
]  # fmt: skip
WORDS = [
    *(bad("paymentMethod", text, "invalid_choice") for text in (
        '"bitcoin"', '"Credits"', '"CREDITS"', '" credits"', '"card"',
    )),
    bad("paymentMethod", "1", "invalid_text", only_json=True),
    bad("paymentMethod", "true", "invalid_text", only_json=True),
    *(bad(field, text, "invalid_boolean")
      for field in ("dryRun", "sendReceiptEmail")
      for text in ('"maybe"', '"yes"', '"no"', '"on"', '" true"', "2", "1.0", "-1")),
    *(bad(field, text, "invalid_boolean", only_json=True)
      for field in ("dryRun", "sendReceiptEmail")
      for text in ("1", "0", '"true"', '"false"', '"False"', "[]", "{}")),
]  # fmt: skip
TEXTS = [
    bad("note", text_of(10_001), "invalid_text"),
    bad("onBehalfOfName", text_of(201), "invalid_text"),
    bad("onBehalfOfEmail", text_of(321), "invalid_text"),
    *(bad("note", f'"a{escape}b"', "invalid_text") for escape in (
        "\\u0000", "\\u0001", "\\r", "\\u001b", "\\u007f", "\\u0085", "\\u2028", "\\u202e",
        "\\u202a", "\\u2066", "\\u2069",
    )),
    *(bad(field, f'"a{escape}b"', "invalid_text")
      for field in ("onBehalfOfName", "onBehalfOfEmail")
      for escape in ("\\n", "\\t", "\\u0000", "\\u202e")),
    *(bad(field, f'"{escape}"', "invalid_text", only_json=True)
      for field in ("note", "onBehalfOfName", "onBehalfOfEmail")
      for escape in ("\\ud800", "a\\ud800b", "\\udc00\\ud800")),
    *(bad(field, text, "invalid_text", only_json=True)
      for field in ("note", "onBehalfOfName")
      for text in ("5", "true", "[]", "{}")),
]  # fmt: skip
METADATA = [
    bad("metadata", pairs(51), "invalid_metadata"),
    bad("metadata", json.dumps({"k" * 41: "v"}), "invalid_text"),
    bad("metadata", json.dumps({"k": "v" * 501}), "invalid_text"),
    bad("metadata", '{"k": "a\\u0000"}', "invalid_text"),
    bad("metadata", '{"k": "a\\nb"}', "invalid_text"),
    bad("metadata", '{"": "v"}', "invalid_metadata"),
    bad("metadata", '{"\\u00e9": "v", "e\\u0301": "w"}', "invalid_metadata"),
    bad("metadata", '"shop"', "invalid_metadata"),
    bad("metadata", '{"k": "\\ud800"}', "invalid_text", only_json=True),
    *(bad("metadata", text, "invalid_metadata", only_json=True) for text in (
        "[]", "5", "true", '{"k": 5}', '{"k": null}', '{"k": {"l": "m"}}', '{"k": ["v"]}',
    )),
]  # fmt: skip
PRICES = [
    *(
        bad("maxAmountCharged", text, "price_above_maximum")
        for text in (
            str(PRICE_CENTS - 1),
            "0",
            "-1",
            "1e3",
            "-1e20",
        )
    ),
    *(
        bad("maxAmountCharged", text, "invalid_integer")
        for text in ("1.5", '"ten"', "true", str(2**53), "1" * 31)
    ),
    bad("maxAmountCharged", f'"{PRICE_CENTS}"', "invalid_integer", only_json=True),
    Bad({"tons": "0.01", "paymentMethod": '"stripe"'}, "below_minimum", "tons"),
    Bad({"tons": "0.01", "paymentMethod": None}, "below_minimum", "tons"),
    Bad({"tons": "0.01", "paymentMethod": '"stripe"', "dryRun": "true"}, "below_minimum", "tons"),
    Bad({"tons": "1000000", "paymentMethod": '"stripe"'}, "above_maximum", "tons"),
    Bad(
        {"tons": "1", "paymentMethod": '"stripe"', "maxAmountCharged": "1"},
        "price_above_maximum",
        "maxAmountCharged",
    ),
]
CASES = [*TONS, *PORTFOLIO, *WORDS, *TEXTS, *METADATA, *PRICES]
