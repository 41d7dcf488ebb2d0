"""QR codes of addresses: the very ones that segno makes, of any length."""

import random
import re
import string
from itertools import pairwise

import pytest
import segno

from fieldfare.integrations.typst.qr import MASK, qr_code

PLAIN = "https://climate.example/c/" + "0" * 32
LENGTHS = sorted(
    # Where a larger code, or one with less correction, begins, it begins within these.
    {*range(1, 330), 600, 1_000, 2_331}
)
STEP = re.compile(r"([hm])(-?\d+)(?: (\d+))?")


def modules_of(svg: str) -> list[bytes]:
    """What the strokes of a code make dark, row by row."""
    found = re.search(r'viewBox="0 0 (\d+) \1"', svg)
    drawn = re.search(r'd="M0 \.5([^"]*)"', svg)
    assert found
    assert drawn
    assert STEP.sub("", drawn[1]) == ""
    size = int(found[1])
    rows = [bytearray(size) for _ in range(size)]
    x = y = 0
    for kind, along, down in STEP.findall(drawn[1]):
        end = x + int(along)
        if kind == "h":
            rows[y][x:end] = b"\1" * (end - x)
        x, y = end, y + int(down or 0)
    assert {len(row) for row in rows} == {size}
    return [bytes(row) for row in rows]


@pytest.mark.parametrize(
    ("shortest", "longest"), [(a, b) for a, b in pairwise([*LENGTHS[::60], 2332])]
)
def test_a_code_is_the_one_that_segno_makes(shortest: int, longest: int) -> None:
    # Drawn anew by the same seed: any address would do.
    draw = random.Random(shortest)
    for length in (length for length in LENGTHS if shortest <= length < longest):
        address = "".join(draw.choices(string.ascii_lowercase + string.digits + "/:.-", k=length))
        theirs = segno.make_qr(address, error="m", mask=MASK, mode="byte").matrix
        assert modules_of(qr_code(address)) == list(map(bytes, theirs)), address


@pytest.mark.parametrize(
    "address",
    [PLAIN, PLAIN.replace("0", "f"), "HTTPS://CLIMATE.EXAMPLE", "https://xn--bcher-kva.example/ü"],
)
def test_any_address_has_a_code(address: str) -> None:
    theirs = segno.make_qr(address.encode(), error="m", mask=MASK, mode="byte").matrix
    assert modules_of(qr_code(address)) == list(map(bytes, theirs))


def test_two_addresses_have_two_codes() -> None:
    assert qr_code(PLAIN) != qr_code(PLAIN[:-1] + "1")
