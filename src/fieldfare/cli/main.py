"""`fieldfare`: the command line, put together."""

import typer

from fieldfare.cli.account import account_app
from fieldfare.cli.books import books_command
from fieldfare.cli.catalog import catalog_app
from fieldfare.cli.credits import credits_app
from fieldfare.cli.disputes import disputes_command
from fieldfare.cli.erase import erase_command
from fieldfare.cli.exceptions import exceptions_app
from fieldfare.cli.feed import feed_app
from fieldfare.cli.jobs import jobs_app
from fieldfare.cli.migrate import migrate_command
from fieldfare.cli.rates import rates_app
from fieldfare.cli.refund import refund_command
from fieldfare.cli.routes import routes_command
from fieldfare.cli.serve import serve
from fieldfare.cli.simulate import simulate_app
from fieldfare.cli.simulate_mail import mail_sink
from fieldfare.cli.token import token_app
from fieldfare.cli.up import up
from fieldfare.cli.verify import verify_command
from fieldfare.cli.worker import worker

app = typer.Typer(
    name="fieldfare",
    help="Fieldfare: a self-hosted platform that sells climate impact. Each command has --help.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up)
app.command("serve")(serve)
app.command("worker")(worker)
app.command("migrate")(migrate_command)
app.command("verify")(verify_command)
app.command("books")(books_command)
app.command("refund")(refund_command)
app.command("disputes")(disputes_command)
app.command("routes")(routes_command)
app.command("erase")(erase_command)
app.add_typer(account_app, name="account")
app.add_typer(token_app, name="token")
app.add_typer(catalog_app, name="catalog")
app.add_typer(credits_app, name="credits")
app.add_typer(rates_app, name="rates")
app.add_typer(feed_app, name="feed")
app.add_typer(jobs_app, name="jobs")
app.add_typer(exceptions_app, name="exceptions")
simulate_app.command("mail")(mail_sink)
app.add_typer(simulate_app, name="simulate")


def main() -> None:
    """Run the command that the arguments name."""
    app(prog_name="fieldfare")


if __name__ == "__main__":
    main()
