"""`fieldfare`: the command line, put together without loading any command.

A command's module is loaded when that command is called, be it for its --help; what `fieldfare
--help` shows of it stands here, and a test holds that against the modules.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from fieldfare.cli.ending import end_without_collecting

COMMANDS: dict[str, tuple[str, str]] = {
    "up": (
        "fieldfare.cli.up:up",
        "Start everything on this machine and print the first order; Ctrl-C stops it.",
    ),
    "serve": (
        "fieldfare.cli.serve:serve",
        "Serve the API on FIELDFARE_HOST and FIELDFARE_PORT from the database at DATABASE_URL.",
    ),
    "worker": (
        "fieldfare.cli.worker:worker",
        "Run the jobs, such as the ranking, on the database at DATABASE_URL, until SIGTERM or "
        "Ctrl-C.",
    ),
    "metrics": (
        "fieldfare.cli.metrics:metrics_command",
        "Answer /metrics on FIELDFARE_METRICS_PORT for the workers of this machine, until Ctrl-C.",
    ),
    "migrate": (
        "fieldfare.cli.migrate:migrate_command",
        "Bring the database at DATABASE_URL to this program's schema; safe to repeat.",
    ),
    "backup": (
        "fieldfare.cli.backup:backup_command",
        "Write a backup of the database, read it back, and print its folder.",
    ),
    "archive": (
        "fieldfare.cli.archive:archive_command",
        "Stream the database's log into FIELDFARE_ARCHIVE until SIGTERM or Ctrl-C.",
    ),
    "restore": (
        "fieldfare.cli.restore:restore_command",
        "Restore a backup into an empty database, verify it, and leave the shop closed.",
    ),
    "open": (
        "fieldfare.cli.open:open_command",
        "Open a closed shop, once its books were held against the card processor's lists.",
    ),
    "close": (
        "fieldfare.cli.close:close_command",
        "Close the shop: every request is told 503 and no job runs, until `fieldfare open`.",
    ),
    "verify": (
        "fieldfare.cli.verify:verify_command",
        "Hold every balance, entry, purchase and line against the rows that must agree with it.",
    ),
    "books": (
        "fieldfare.cli.books:books_command",
        "Show the trial balance: what every book has come to, in each currency.",
    ),
    "refund": (
        "fieldfare.cli.refund:refund_command",
        "Give money back: to the card that paid, or to the credits that were taken.",
    ),
    "disputes": (
        "fieldfare.cli.disputes:disputes_command",
        "Show the disputes that no bank has decided yet, the oldest first.",
    ),
    "routes": (
        "fieldfare.cli.routes:routes_command",
        "Print method, path, what it needs and the handler of every endpoint.",
    ),
    "erase": (
        "fieldfare.cli.erase:erase_command",
        "Forget the persons of an order or an account for good; books and certificates stay.",
    ),
    "account": (
        "fieldfare.cli.account:account_app",
        "Open users and teams, and let people in.",
    ),
    "token": (
        "fieldfare.cli.token:token_app",
        "Issue, list, revoke and rotate API tokens.",
    ),
    "catalog": (
        "fieldfare.cli.catalog:catalog_app",
        "What is sold: import it, price it, show it.",
    ),
    "credits": (
        "fieldfare.cli.credits:credits_app",
        "Look at and adjust prepaid credits.",
    ),
    "rates": (
        "fieldfare.cli.rates:rates_app",
        "Exchange rates: units of a currency for one US dollar.",
    ),
    "verify-certificate": (
        "fieldfare.cli.verify_certificate:verify_certificate_command",
        "Verify a signed certificate, offline or at its issuer's; tells each reason against it.",
    ),
    "certificate-keys": (
        "fieldfare.cli.certificate_keys:certificate_keys_app",
        "The keys of certificates: make, publish, list, export, withdraw.",
    ),
    "feed": (
        "fieldfare.cli.feed:feed_app",
        "The public feed: list, hide, show, rebuild.",
    ),
    "jobs": (
        "fieldfare.cli.jobs:jobs_app",
        "Show the jobs that wait and run, and those held after failing; retry or drop these.",
    ),
    "exceptions": (
        "fieldfare.cli.exceptions:exceptions_app",
        "Payments that a person has to look at.",
    ),
    "simulate": (
        "fieldfare.cli.simulate:simulate_app",
        "Run what stands for an outside system.",
    ),
}
"""By its name: where a command or a group of them is, `module:name`, and its line in the help."""


class CommandsLoadedLater(TyperGroup):
    """Knows its commands by name and line of help, and loads the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the command itself in the place of its line; what nobody knows is refused."""
        if args[0] in COMMANDS:
            self.commands[args[0]] = load_command(args[0])
        return super().resolve_command(ctx, args)


def load_command(name: str) -> Any:
    """A command of `COMMANDS`, from its module, as typer runs it; typer keeps its class private."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(import_module(module), attribute)
    alone = typer.Typer(rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command(name)(found)
    return get_group(alone).commands[name]


app = typer.Typer(
    name="fieldfare",
    cls=CommandsLoadedLater,
    help="Fieldfare: a self-hosted platform that sells climate impact. Each command has --help.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _name, (_where, _about) in COMMANDS.items():
    app.command(_name, help=_about)(lambda: None)


def main() -> None:
    """Run the command that the arguments name."""
    end_without_collecting()
    app(prog_name="fieldfare")


if __name__ == "__main__":
    main()
