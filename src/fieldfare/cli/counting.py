"""What a backup and a restore are compared by: the rows of each table, and the books."""

from fieldfare.db.pool import Connection
from fieldfare.orders.service.trial_balance import read_trial_balance

TABLES = """
    select quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^pg_'
        and n.nspname not in ('information_schema', 'pgqueuer')
        and c.oid <> 'db.change'::regclass
    order by 1
"""
"""Those that are restored as they were. The mark of a closed shop is not, and the queue of jobs
lives while it is looked at."""


async def count_rows(conn: Connection) -> dict[str, int]:
    """The rows of each table, all its partitions together."""
    names = [row[0] for row in await conn.fetch(TABLES)]
    return {name: await conn.fetchval(f"select count(*) from {name}") for name in names}  # noqa: S608 - quoted by the server


async def count_books(conn: Connection) -> dict[str, int]:
    """The trial balance: a book and its currency, in millionths of its hundredth."""
    totals = await read_trial_balance(conn)
    return {f"{book} {currency}": micro for (book, currency), micro in sorted(totals.items())}
