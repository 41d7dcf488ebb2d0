"""QR codes of addresses (ISO/IEC 18004), as SVG.

segno draws one for each length of an address, a millisecond and a half each, a tenth of a whole
certificate. Another address of that length differs in its data alone, and both data and error
correction add up without a carry: so only their difference is made here, and laid over segno's.
What must hold: the code is the very one that segno makes of the address.
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from segno import QRCode

MASK = 4
"""Any of the eight is read; this one breaks up large areas. To find the fairest takes all eight."""
HEADER_BITS_SHORT = 4 + 8
HEADER_BITS_LONG = 4 + 16
LONG_FROM_VERSION = 10
"""Before the data stand their kind and how many bytes they are."""
GF_POLYNOMIAL = 0x11D
"""Codewords are multiplied as polynomials modulo this one."""


class _Block(msgspec.Struct, frozen=True):
    """How many codewords are guarded together, and by how many."""

    data: int
    check: int


class _Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The code of an address of noughts, and where the bits of others differ from it."""

    noughts: int
    """Its address, as a number."""
    shift: int
    """Bits behind the address, up to the last codeword of data."""
    blocks: tuple[_Block, ...]
    modules: int
    """Its modules, one bit each, in rows of whole bytes."""
    row_bytes: int
    place: Callable[[str], tuple[str, ...]]
    """From the bits of all codewords, and a nought, to those of all modules."""
    head: str
    """Of the SVG."""
    row_end: str


def qr_code(address: str) -> str:
    """The SVG of an address's code, without a border: a unit for each module."""
    data = address.encode()
    frame = _frame(len(data))
    difference = (int.from_bytes(data) ^ frame.noughts) << frame.shift
    codewords = _interleaved(difference, frame.blocks)
    bits = "".join(frame.place(f"{int.from_bytes(codewords):0{8 * len(codewords)}b}0"))
    modules = (frame.modules ^ int(bits, 2)).to_bytes(len(bits) // 8)
    strokes = _strokes()
    rows = (
        "".join([strokes[eight] for eight in modules[start : start + frame.row_bytes]])
        for start in range(0, len(modules), frame.row_bytes)
    )
    return f'{frame.head}{frame.row_end.join(rows)}"/></svg>'


# ------------------------------------------------------------------------------ data and its guard


def _interleaved(data: int, blocks: tuple[_Block, ...]) -> bytes:
    """Codewords in the order in which they are laid out: of each block the first, the second …"""
    codewords = data.to_bytes(sum(block.data for block in blocks))
    parts, start = [], 0
    for block in blocks:
        parts.append(codewords[start : start + block.data])
        start += block.data
    checks = [_check(part, block.check) for part, block in zip(parts, blocks, strict=True)]
    return bytes((*_in_turn(parts), *_in_turn(checks)))


def _in_turn(parts: list[bytes]) -> Iterator[int]:
    for place in range(max(map(len, parts))):
        yield from (part[place] for part in parts if place < len(part))


def _check(data: bytes, count: int) -> bytes:
    """The remainder of Reed and Solomon's division of a block."""
    multiples = _multiples(count)
    rest, above, most = 0, 8 * (count - 1), (1 << 8 * count) - 1
    for codeword in data:
        rest = (rest << 8 & most) ^ multiples[codeword ^ rest >> above]
    return rest.to_bytes(count)


@cache
def _multiples(count: int) -> tuple[int, ...]:
    """The generator of so many codewords times each byte, without its first codeword."""
    generator, root = [1], 1
    for _ in range(count):
        raised = [*generator, 0]
        for place, factor in enumerate(generator, start=1):
            raised[place] ^= _product(factor, root)
        generator, root = raised, _product(root, 2)
    return tuple(
        int.from_bytes(bytes(_product(factor, byte) for factor in generator[1:]))
        for byte in range(256)
    )


def _product(one: int, other: int) -> int:
    product = 0
    while other:
        product ^= one if other & 1 else 0
        one = one << 1 ^ (GF_POLYNOMIAL if one & 0x80 else 0)
        other >>= 1
    return product


# ---------------------------------------------------------------------------- where a module stands


@cache
def _frame(length: int) -> _Frame:
    import segno

    noughts = b"0" * length
    code = segno.make_qr(noughts, error="m", mask=MASK, mode="byte")
    size = len(code.matrix)
    row_bytes = -(-size // 8)
    header = HEADER_BITS_SHORT if int(code.version) < LONG_FROM_VERSION else HEADER_BITS_LONG
    blocks = tuple(_blocks_of(code))
    bits = 8 * sum(block.data + block.check for block in blocks)
    places = [row + [bits] * (8 * row_bytes - size) for row in _places(code, bits)]
    dark = "".join("".join(map(str, row)).ljust(8 * row_bytes, "0") for row in code.matrix)
    return _Frame(
        noughts=int.from_bytes(noughts),
        shift=8 * sum(block.data for block in blocks) - header - 8 * length,
        blocks=blocks,
        modules=int(dark, 2),
        row_bytes=row_bytes,
        place=itemgetter(*chain.from_iterable(places)),
        head=(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}">'
            '<path stroke="#000" d="M0 .5'
        ),
        row_end=f"m-{8 * row_bytes} 1",
    )


def _blocks_of(code: "QRCode") -> Iterator[_Block]:
    from segno import consts

    kinds: Any = consts.ECC
    for kind in kinds[code.version][consts.ERROR_MAPPING[str(code.error)]]:
        yield from [_Block(kind.num_data, kind.num_total - kind.num_data)] * kind.num_blocks


def _places(code: "QRCode", bits: int) -> list[list[int]]:
    """For each module the bit that it shows, or `bits` if it shows none."""
    from segno import encoder as untyped

    encoder: Any = untyped
    size = len(code.matrix)
    empty = encoder.make_matrix(size, size)
    encoder.add_finder_patterns(empty, size, size)
    encoder.add_alignment_patterns(empty, size, size)
    # What is laid out are the numbers of bits, not bits; less than that are what segno marks with.
    first = 1 + max(map(max, empty))
    laid_out = list(map(list, empty))
    encoder.add_codewords(laid_out, range(first, first + bits), code.version)
    return [[bits if bit < first else bit - first for bit in row] for row in laid_out]


@cache
def _strokes() -> tuple[str, ...]:
    """The strokes of eight modules, whichever are dark; each ends behind them."""
    return tuple(_stroke(f"{dark:08b}") for dark in range(256))


def _stroke(modules: str) -> str:
    runs = modules.replace("01", "0 1").replace("10", "1 0").split()
    return "".join(f"h{len(run)}" if run[0] == "1" else f"m{len(run)} 0" for run in runs)
