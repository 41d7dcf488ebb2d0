"""What lines come to: in an account's totals as they are written, and summed up anew."""

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries

_queries = load_queries(__file__)


async def add_impact(conn: Connection, account_id: int, *, certified_mg: int, trees: int) -> None:
    """More mass and trees in an account's totals, or less."""
    await _queries.add_impact(conn, account_id=account_id, certified_mg=certified_mg, trees=trees)


async def list_totals(
    conn: Connection, *, above_account_id: int, up_to_account_id: int
) -> dict[int, tuple[int, int]]:
    """For each account of a range that has lines, what they make: certified_mg, trees."""
    rows = _queries.list_totals(
        conn, above_account_id=above_account_id, up_to_account_id=up_to_account_id
    )
    return {row["account_id"]: (int(row["certified_mg"]), int(row["trees"])) async for row in rows}


async def sum_lines(conn: Connection) -> tuple[int, int]:
    """What all lines come to as they were written: the partners' part and the margin."""
    row = await _queries.sum_lines(conn)
    return int(row["partner_micro"]), int(row["margin_micro"])
