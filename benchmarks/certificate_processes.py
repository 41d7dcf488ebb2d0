"""What each process does for `certificates_10k`: certificates by the product, or by typst alone.

A process prepares first and waits for the others; only what comes then is timed. Both sides make
the same documents, and a digest of all their bytes shows it.
"""

import asyncio
import hashlib
import time
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from functools import cache
from multiprocessing.synchronize import Barrier
from typing import Any

import msgspec
import typst
import uvloop

from fieldfare.catalog.service import CatalogueCache
from fieldfare.db.changes import ChangeFeed, following
from fieldfare.db.pool import Database, open_database
from fieldfare.impact.service.certificates import LiveCertificateDesk
from fieldfare.impact.service.keys import KeyCache, publish_key
from fieldfare.impact.service.printing import Printer, as_shown
from fieldfare.impact.service.signing import make_private_key, read_signer
from fieldfare.integrations.typst import Typesetter
from fieldfare.integrations.typst.qr import qr_code
from fieldfare.integrations.typst.rendering import PIXELS_PER_INCH
from fieldfare.integrations.typst.sheet import lay_out

SELLER = "Fieldfare"
PUBLIC_URL = "https://climate.example"
CLIENTS = 8
"""Of each process at once: while one's certificate is set, the next ones are looked up."""
START_S = 600.0

_barrier: Barrier | None = None


class Made(msgspec.Struct, frozen=True):
    """What a process has made."""

    seconds: float
    cpu_seconds: float
    """Of this process alone: the database's is apart."""
    digest: bytes
    """Of the digests of all documents, whatever their order."""
    documents: int


def begin(barrier: Barrier) -> None:
    """What every process begins with."""
    global _barrier
    _barrier = barrier


@cache
def _typesetter() -> Typesetter:
    return Typesetter()


def make_by_product(database_url: str, slugs: Sequence[str]) -> Made:
    """Look each certificate up, issue and sign it, and make its PDF."""
    made: Made = _run(_with_desk(database_url, _make_all, slugs))
    return made


def make_by_typst(database_url: str, slugs: Sequence[str]) -> Made:
    """The same documents from sheets that were laid out before."""
    sheets = _run(_with_desk(database_url, _lay_out_all, slugs))
    # The very compiler, without what is around it.
    compiler = _wait()
    started = _Start()
    documents = [
        compiler.compile(
            format="pdf", ppi=PIXELS_PER_INCH, sys_inputs={"sheet": sheet}, timestamp=timestamp
        )
        for sheet, timestamp in sheets
    ]
    return _made(started, [one for one in documents if isinstance(one, bytes)])


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    # The loop on which the API runs.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def _with_desk(database_url: str, work: Any, slugs: Sequence[str]) -> Any:
    db = await open_database(database_url, pool_size=4, application="benchmark", for_requests=True)
    try:
        async with following(ChangeFeed(db)) as feed:
            return await work(await _desk(db, feed), slugs)
    finally:
        await db.close()


async def _desk(db: Database, feed: ChangeFeed) -> LiveCertificateDesk:
    signer = read_signer(make_private_key().decode())
    await publish_key(db, signer, datetime.now(UTC))
    desk = LiveCertificateDesk(
        db=db,
        cache=CatalogueCache(feed, db),
        public_url=PUBLIC_URL,
        signer=signer,
        certificate_keys=KeyCache(feed, db),
        printer=Printer(_typesetter(), seller=SELLER),
    )
    await desk.catalogue()
    return desk


async def _make_all(desk: LiveCertificateDesk, slugs: Sequence[str]) -> Made:
    await asyncio.to_thread(_wait)
    started = _Start()
    waiting = iter(slugs)
    documents: list[bytes] = []

    async def client() -> None:
        for slug in waiting:
            certificate = await desk.certificate_at(slug)
            documents.append(await desk.printer.printed(certificate, "pdf"))

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return _made(started, documents)


async def _lay_out_all(desk: LiveCertificateDesk, slugs: Sequence[str]) -> list[tuple[str, int]]:
    certificates = [await desk.certificate_at(slug) for slug in slugs]
    shown = [as_shown(one, seller=SELLER) for one in certificates]
    return [
        (
            msgspec.json.encode(lay_out(one, "pdf", qr=qr_code(one.verify_url))).decode(),
            int(one.issued_at.timestamp()),
        )
        for one in shown
    ]


def _wait() -> typst.Compiler:
    """The compiler with its fonts, which are loaded once, when all processes have theirs."""
    compiler = _typesetter().compiler
    assert _barrier is not None, "`begin` was called"
    _barrier.wait(START_S)
    return compiler


class _Start:
    """The moment from which time is counted."""

    def __init__(self) -> None:
        self._at, self._cpu = time.monotonic(), time.process_time()

    def since(self) -> tuple[float, float]:
        """Seconds that passed, and seconds that this process worked."""
        return time.monotonic() - self._at, time.process_time() - self._cpu


def _made(started: _Start, documents: Sequence[bytes]) -> Made:
    seconds, cpu_seconds = started.since()
    hashes = sorted(hashlib.sha256(one).digest() for one in documents)
    return Made(seconds, cpu_seconds, hashlib.sha256(b"".join(hashes)).digest(), len(documents))
