"""An account's whole list, a million rows over HTTP, against COPY of the same rows.

One request without `limit` streams the list; `curl` throws it away. The other side is `psql` that
copies what the list is made of out of the database. What must hold: every row is in the answer, and
the API needs little more memory than before, however long the list is.
"""

import subprocess
import time
from pathlib import Path

import msgspec

from benchmarks.customers import FIRST_ACCOUNT, open_customers
from benchmarks.figures import Comparison, progress, take_turns
from benchmarks.history import (
    AGE,
    MONTHS,
    History,
    offset_patterns,
    write_history,
)
from benchmarks.memory import begin_peak, peak_bytes, resident_bytes
from benchmarks.pgbench import session_environment
from benchmarks.product import read_catalogue
from benchmarks.refusal import BenchmarkRefused
from benchmarks.stage import Stage, api_process, database_stage, verify_books
from fieldfare.orders.model import LineRow

NAME = "list_million"
LEAST_ROWS = 1_000_000
ROUNDS = 3
WARM_UP_PAGES = 20
MASSES_MG = (450_000_000, 123_456_789, 2_000_000_000)
MOST_MEMORY_BYTES = 64 * 1024 * 1024
NOWHERE = Path("/dev/null")
ROW_MARK = b'"order_group_id":'
PIECE_BYTES = 1024 * 1024
_COPY = (
    f"copy (select {', '.join(LineRow.__struct_fields__)} from orders.listed_line "
    f"where account_id = {FIRST_ACCOUNT} and kind = 'offset' order by id desc) to stdout"
)


class Answer(msgspec.Struct, frozen=True):
    """What `curl` tells of an answer."""

    http_code: int
    size_download: int
    time_total: float


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The list of an account, with all its rows stored."""

    stage: Stage
    token: str
    rows: int


def measure() -> Comparison:
    """Read the list both ways; raises `BenchmarkRefused` if it is short or takes much memory."""
    progress(f"{NAME}: starting a server and storing {LEAST_ROWS:,} lines of one account")
    with database_stage(months_past=MONTHS) as stage:
        listing = _store(stage)
        with api_process(stage) as api:
            url = f"{api.base_url}/api/offset-orders"
            # So that every process has answered before, and grows by nothing but the list.
            for _ in range(WARM_UP_PAGES):
                _get(listing, f"{url}?limit=100", NOWHERE)
            before_bytes = resident_bytes(api.pid)
            begin_peak(api.pid)
            sizes: list[int] = []
            copies: list[int] = []

            def figure() -> float:
                answer = _get(listing, url, NOWHERE) if sizes else _get_counted(listing, url)
                sizes.append(answer.size_download)
                return listing.rows / answer.time_total

            def limit() -> float:
                copied_bytes, seconds = _copy(stage)
                copies.append(copied_bytes)
                return listing.rows / seconds

            figures, limits = take_turns(figure, limit, rounds=ROUNDS)
            more_bytes = peak_bytes(api.pid) - before_bytes
        if len({*sizes}) != 1 or len({*copies}) != 1:
            raise BenchmarkRefused(f"turns differ: {sizes} bytes listed, {copies} copied")
        if more_bytes > MOST_MEMORY_BYTES:
            raise BenchmarkRefused(f"the API took {more_bytes / 1e6:.0f} MB more to list it")
        progress("holding the books against each other")
        verify_books(stage.database_url)
        return Comparison(
            name=NAME,
            unit="rows/s",
            figures=figures,
            limits=limits,
            details={
                "rows": listing.rows,
                "list_bytes": sizes[0],
                "copied_bytes": copies[0],
                "memory_before_bytes": before_bytes,
                "memory_more_bytes": more_bytes,
            },
        )


def _store(stage: Stage) -> Listing:
    """Write the account's history."""
    customers = open_customers(stage.database_url, 1, age=AGE)
    patterns = offset_patterns(read_catalogue(stage.database_url), MASSES_MG)
    per_order = len(patterns[0].quote.shares)
    orders = -(-LEAST_ROWS // per_order)
    write_history(
        stage.database_url,
        History(accounts=customers.accounts, orders=orders, patterns=patterns),
    )
    (token,) = customers.tokens
    return Listing(stage=stage, token=token, rows=orders * per_order)


def _get(listing: Listing, url: str, into: Path) -> Answer:
    # By a file: a command line is everybody's to read.
    headers = listing.stage.folder / "headers"
    headers.write_text(f"Authorization: Bearer {listing.token}\n", encoding="ascii")
    told = '{"http_code":%{http_code},"size_download":%{size_download},"time_total":%{time_total}}'
    ran = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--fail", "--header", f"@{headers}"),
            *("--output", into, "--write-out", told, url),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise BenchmarkRefused(f"curl failed: {ran.stdout}{ran.stderr}")
    return msgspec.json.decode(ran.stdout, type=Answer)


def _get_counted(listing: Listing, url: str) -> Answer:
    """Read the list and keep it for as long as it takes to count its rows."""
    body = listing.stage.folder / "list.json"
    answer = _get(listing, url, body)
    found = count_marks(body, ROW_MARK)
    body.unlink()
    if found != listing.rows:
        raise BenchmarkRefused(f"the list has {found} rows, and it should have {listing.rows}")
    return answer


def count_marks(path: Path, mark: bytes) -> int:
    """How often a few bytes stand in a file that may be larger than memory."""
    found, kept = 0, b""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            text = kept + piece
            found += text.count(mark)
            # One may begin here and end in the next piece.
            kept = text[-len(mark) + 1 :]
    return found


def _copy(stage: Stage) -> tuple[int, float]:
    """Copy the same rows out; gives the bytes, and the seconds that it took."""
    started = time.monotonic()
    copied = 0
    with subprocess.Popen(
        [stage.programs / "psql", "--no-psqlrc", "--quiet", "--command", _COPY],
        env=session_environment(stage.database_url),
        stdout=subprocess.PIPE,
    ) as psql:
        assert psql.stdout is not None, "it was asked for"
        while piece := psql.stdout.read(PIECE_BYTES):
            copied += len(piece)
    if psql.returncode != 0:
        raise BenchmarkRefused(f"psql failed with exit code {psql.returncode}")
    return copied, time.monotonic() - started
