"""`fieldfare jobs`: what waits, what runs, and which jobs wait for an operator.

A job that failed too often is held, with its last error: it is tried again or dropped here, and the
reason for dropping is kept.
"""

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fieldfare.cli.context import open_cli_connection, open_cli_transaction, run
from fieldfare.cli.steps import say
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.errors import NotFound
from fieldfare.notifications.model import StrandedTopic

if TYPE_CHECKING:
    from fieldfare.db.held import HeldJob, Waiting

jobs_app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)

REASON_CHARACTERS = 500

JobId = Annotated[
    int, typer.Argument(min=1, max=2**63 - 1, help="The job's number, as `jobs` shows it.")
]


class _Overview(msgspec.Struct, frozen=True):
    waiting: "list[Waiting]"
    stranded: list[StrandedTopic]
    held: "list[HeldJob]"


@jobs_app.callback()
def list_command(context: typer.Context) -> None:
    """Show the jobs that wait and run, and those held after failing; retry or drop these.

    Example: fieldfare jobs
    """
    if context.invoked_subcommand is None:
        _show(run(_look()))


async def _look() -> _Overview:
    from fieldfare.db import held
    from fieldfare.jobs import TOPICS
    from fieldfare.notifications.service import outbox

    async with open_cli_connection() as conn:
        return _Overview(
            await held.list_waiting(conn),
            await outbox.list_stranded(conn, [topic.name for topic in TOPICS]),
            await held.list_held(conn),
        )


def _show(overview: _Overview) -> None:
    from fieldfare.db import held

    for topic in overview.waiting:
        say(
            f"{topic.topic}: {topic.waiting} waiting ({topic.failing} after a failure), "
            f"{topic.running} running, the oldest since {rfc3339(topic.oldest_at)}"
        )
    for row in overview.stranded:
        say(
            f"{row.topic}: {row.rows} in the outbox that this release knows no job for, "
            f"the oldest due since {rfc3339(row.oldest_due_at)}"
        )
    if not overview.held:
        say("No job is held.")
        return
    say(f"{'id':>8}  {'topic':20}  {'subject':36}  {'failures':>8}  {'held since':24}  last error")
    for job in overview.held:
        say(_line(job))
    if len(overview.held) == held.MOST_LISTED:
        say("… and maybe more.")
    say("Try one again with `fieldfare jobs retry ID`, or give it up with `fieldfare jobs drop`.")


def _line(job: "HeldJob") -> str:
    return (
        f"{job.id:>8}  {job.topic:20}  {job.subject_id}  {job.failures:>8}  "
        f"{rfc3339(job.held_at)}  {job.last_error}"
    )


@jobs_app.command("retry")
def retry_command(job_id: JobId) -> None:
    """Let a job that is held run again, with all its tries before it.

    Example: fieldfare jobs retry 4711
    """
    run(_retry(job_id))
    say(f"Job {job_id} runs again within a second or two, if a worker runs.")


async def _retry(job_id: int) -> None:
    from fieldfare.db import held

    async with open_cli_transaction() as conn:
        if not await held.retry_held(conn, job_id):
            raise _not_held(job_id)


@jobs_app.command("drop")
def drop_command(
    job_id: JobId,
    reason: Annotated[str, typer.Option(help="Why it need not run; it is kept with its number.")],
) -> None:
    """Take a job that is held off the list for good: it never runs again.

    Example: fieldfare jobs drop 4711 --reason "The account was erased, ticket 81"
    """
    reason = " ".join(reason.split())
    if not 0 < len(reason) <= REASON_CHARACTERS:
        raise typer.BadParameter(f"give a reason of 1 to {REASON_CHARACTERS} characters")
    run(_drop(job_id, reason))
    say(f"Job {job_id} is dropped.")


async def _drop(job_id: int, reason: str) -> None:
    from fieldfare.db import held

    async with open_cli_transaction() as conn:
        if not await held.drop_held(conn, job_id, reason=reason):
            raise _not_held(job_id)


def _not_held(job_id: int) -> NotFound:
    return NotFound(f"no job {job_id} is held; `fieldfare jobs` lists those that are")
