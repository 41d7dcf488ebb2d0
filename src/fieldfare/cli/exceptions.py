"""`fieldfare exceptions`: what a person has to look at before the books can close."""

from typing import Annotated
from uuid import UUID

import typer

from fieldfare.cli.context import open_cli_connection, open_cli_transaction, run
from fieldfare.cli.steps import say
from fieldfare.kernel.clock import rfc3339
from fieldfare.payments.model import ExceptionKind, OpenException

exceptions_app = typer.Typer(
    help="Payments that a person has to look at.", no_args_is_help=True, rich_markup_mode=None
)

WAYS_OUT: dict[ExceptionKind, tuple[str, ...]] = {
    "outcome_unknown": (
        "it settles itself as soon as the processor's list shows the charge, or 25 hours after it "
        "was last sent: wait, unless the customer cannot",
        "look the payment up in the processor's dashboard by the id in its metadata, the order's "
        "or the top-up's; nothing has to be entered here, the next look finds it",
    ),
    "charge_without_order": (
        "refund the charge in the processor's dashboard, then resolve this with the refund's id",
        "if the charge is of another product on the same account, resolve it with that reason",
    ),
    "mismatch": (
        "the charge differs from what was asked: refund it in the processor's dashboard, then "
        "resolve this with the refund's id; the order or top-up stays unpaid",
        "if it is a refund that differs, correct what differs in the processor's dashboard and "
        "resolve this with what was done",
        "if more went back than was charged, nothing here can fetch it: ask the customer for it or "
        "bear it, then resolve this with what was agreed; it stays in the book `suspense` "
        "(`fieldfare books`)",
    ),
    "refund_unknown": (
        "it settles itself as soon as the processor's list shows the refund, or 25 hours after it "
        "was last sent: wait, and do not refund again",
        "look it up in the processor's dashboard by the refund id in its metadata; nothing has to "
        "be entered here, the next look finds it",
    ),
    "refund_failed": (
        "if it never took effect (the order or top-up still stands), ask for it again with "
        "`fieldfare refund`, then resolve this with the new refund's id",
        "if it had succeeded, the money is back with us and still owed to the customer: refund the "
        "charge once more in the processor's dashboard, which is recorded by itself, or pay them "
        "in another way; then resolve this with how it was paid",
        "if it says that the credits are in the wallet again, nothing is owed: ask for the refund "
        "again with `fieldfare refund`, or resolve this because the customer keeps the credits",
    ),
    "dispute_unclear": (
        "look the dispute up in the processor's dashboard: its money went or came back there, and "
        "for all or part of it there is nothing here to go with it (`fieldfare books` shows what "
        "lies in the book `suspense`)",
        "if it is about a charge of another product, resolve this with that reason; if it was "
        "decided anew after its end took effect, set that right by hand (`fieldfare credits "
        "adjust`, a new order) and resolve this with what was done",
    ),
    "unknown_transaction": (
        "look the movement up in the processor's dashboard: if it belongs to an order, a top-up or "
        "a refund of ours, nothing has to be entered, the next import finds it",
        "if it is of another product on the same account, or was made there by hand, resolve this "
        "with that reason; its amount stays in the book `suspense` (`fieldfare books`)",
    ),
}


@exceptions_app.command("list")
def list_command() -> None:
    """Show what is open, oldest first, with the ways out of each.

    Example: fieldfare exceptions list
    """
    found = run(_list())
    for one in found:
        say(f"{one.id}  {one.kind}  since {rfc3339(one.opened_at)}")
        say(f"  {one.subject}: {one.detail}")
        for way in WAYS_OUT[one.kind]:
            say(f"  → {way}")
    say(f"{len(found)} open." if found else "Nothing is open.")


async def _list() -> list[OpenException]:
    from fieldfare.payments.service.exceptions import list_exceptions

    async with open_cli_connection() as conn:
        return await list_exceptions(conn)


@exceptions_app.command("resolve")
def resolve_command(
    exception: Annotated[UUID, typer.Argument(help="Its id, as `exceptions list` shows it.")],
    reason: Annotated[str, typer.Option(help="What was done; it is kept.")],
) -> None:
    """Take one off the list, with what was done about it.

    Example: fieldfare exceptions resolve 0193a0f4-7c1e-7a52-9d8e-2b0d5a3c1f6e --reason "re_123"
    """
    run(_resolve(exception, reason))
    say("It is off the list.")


async def _resolve(identifier: UUID, reason: str) -> None:
    from fieldfare.payments.service.exceptions import resolve_exception

    async with open_cli_transaction() as conn:
        await resolve_exception(conn, identifier, reason)
