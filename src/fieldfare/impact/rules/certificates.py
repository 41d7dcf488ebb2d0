"""What a certificate says, when an edition of it still holds, and how its number is written.

What must hold: an edition's figures and name are what its document says for ever. If they change,
because a part was given back, a new edition takes its place and the old one is `replaced`; if all
was given back, every edition is `refunded`.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

import msgspec

from fieldfare.catalog.model import Catalogue
from fieldfare.impact.errors import CertificateNumberRefused
from fieldfare.impact.model import (
    Certificate,
    CertificateBody,
    CertificateState,
    CertifiedProject,
    Edition,
    Fault,
    Verification,
)
from fieldfare.kernel.clock import rfc3339
from fieldfare.orders.model import CertifiedLine, CertifiedOrder

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""31 characters, which no reader takes for each other: 0, 1, I, L and O are left out."""
DRAWN_CHARACTERS = 11
"""About 54 random bits: a number tells nothing of any other, nor of the address."""
SAMPLE_NUMBER = "SAMPLE"
_BETWEEN = re.compile(r"[\s-]+")


# ------------------------------------------------------------------------------------ what it says


def projects_of(order: CertifiedOrder, catalogue: Catalogue) -> tuple[CertifiedProject, ...]:
    """What of an order stands, by project; of one that was given back wholly, what was bought.

    Standing and label are those of the day of the order, names and registries today's.
    """
    return tuple(_project(line, order, catalogue) for line in order.lines)


def _project(line: CertifiedLine, order: CertifiedOrder, catalogue: Catalogue) -> CertifiedProject:
    project = catalogue.projects.get(line.project_id)
    mass_mg, trees = _standing_of(line, order)
    return CertifiedProject(
        id=line.project_id,
        name=project.name if project else f"Project {line.project_id}",
        mass_mg=mass_mg,
        trees=trees,
        standing=line.standing,
        certification_status=line.certification_status,
        registry=project.registry if project else None,
    )


def _standing_of(line: CertifiedLine, order: CertifiedOrder) -> tuple[int, int]:
    """Milligrams and trees."""
    if order.state == "refunded":
        return line.mass_mg, line.trees
    return line.mass_mg - line.refunded_mg, line.trees - line.refunded_trees


def digest_of(order: CertifiedOrder) -> bytes:
    """SHA-256 of what an edition certifies.

    Names and registries are not in it: a name that is spelt better replaces no certificate.
    """
    figures = [
        (line.project_id, *_standing_of(line, order), line.standing, line.certification_status)
        for line in order.lines
    ]
    return hashlib.sha256(msgspec.json.encode(figures)).digest()


def hash_name(salt: bytes, name: str) -> bytes:
    """What a certificate has of its purchaser: SHA-256 of the salt and the name in NFC, UTF-8."""
    return hashlib.sha256(salt + unicodedata.normalize("NFC", name).encode()).digest()


# -------------------------------------------------------------------------------- whether it holds


def still_holds(newest: Edition | None, order: CertifiedOrder, purchaser: str | None) -> bool:
    """Whether the newest edition says what is so now; `purchaser` is None if none may be named.

    Of an order that was given back nothing is issued any more but for the first edition.
    """
    if newest is None:
        return False
    if order.state == "refunded":
        return True
    return newest.figures == digest_of(order) and (purchaser is None or _names(newest, purchaser))


def _names(edition: Edition, purchaser: str) -> bool:
    return edition.salt is not None and hash_name(edition.salt, purchaser) == edition.purchaser_hash


def says_what_was_bought(order: CertifiedOrder) -> bool:
    """Whether an edition of now says what the order said when it was paid."""
    parts = any(line.refunded_mg or line.refunded_trees for line in order.lines)
    return order.state == "refunded" or not parts


def state_of(order: CertifiedOrder) -> CertificateState:
    """The state of the newest edition. A dispute changes nothing until the bank has decided it."""
    return "refunded" if order.state == "refunded" else "genuine"


def state_of_number(number: str, current: Certificate) -> CertificateState:
    """The state of the edition of that number, by the certificate of its order that holds now."""
    is_other = show_number(read_number(number)) != current.number
    return "replaced" if is_other and current.state == "genuine" else current.state


def verification_of(body: CertificateBody, current: Certificate) -> Verification:
    """What is to be said of a document that we signed, beside what holds now."""
    state = state_of_number(body.number, current)
    return Verification(
        fault=None if state == "genuine" else state,
        state=state,
        number=body.number,
        issued_at=body.issued_at,
        mass_mg=body.mass_mg,
        trees=body.trees,
    )


def verification_at_address(current: Certificate) -> Verification:
    """The same for who has the address of a certificate."""
    fault: Fault | None = None if current.state == "genuine" else current.state
    return Verification(
        fault="sample" if current.is_sample else fault,
        state=None if current.is_sample else current.state,
        number=current.number,
        issued_at=rfc3339(current.issued_at),
        mass_mg=current.mass_mg,
        trees=current.trees,
    )


# ------------------------------------------------------------------------------- what it is called


def number_from(drawn: Sequence[int]) -> str:
    """The number made of `DRAWN_CHARACTERS` random places in the alphabet, with a check character.

    Places are weighted 1, 2, 3 … modulo a prime, so any one character that is mistyped, and any two
    that are exchanged, are found.
    """
    total = sum(weight * place for weight, place in enumerate(drawn, start=2))
    places = [-total % len(ALPHABET), *drawn]
    return "".join(ALPHABET[place] for place in places)


def show_number(number: str) -> str:
    """A number as people read it: `6K3M-Q9XD-2HTA`."""
    return "-".join(number[start : start + 4] for start in range(0, len(number), 4))


def read_number(text: str) -> str:
    """A number as it was typed, in any case, with or without hyphens and blanks.

    Raises `CertificateNumberRefused` for what can be no number.
    """
    number = _BETWEEN.sub("", text[:100]).upper()
    places = [ALPHABET.find(character) for character in number]
    total = sum(weight * place for weight, place in enumerate(places, start=1))
    if len(places) != DRAWN_CHARACTERS + 1 or -1 in places or total % len(ALPHABET):
        raise CertificateNumberRefused(
            "This is no number of a certificate: it has twelve letters and digits, such as "
            "6K3M-Q9XD-2HTA, and never 0, 1, I, L or O. Compare it once more with the certificate."
        )
    return number
