"""`fieldfare`: the command line, put together."""

import typer

from fieldfare.cli.account import account_app
from fieldfare.cli.catalog import catalog_app
from fieldfare.cli.credits import credits_app
from fieldfare.cli.migrate import migrate_command
from fieldfare.cli.routes import routes_command
from fieldfare.cli.serve import serve
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
app.command("routes")(routes_command)
app.add_typer(account_app, name="account")
app.add_typer(token_app, name="token")
app.add_typer(catalog_app, name="catalog")
app.add_typer(credits_app, name="credits")


def main() -> None:
    """Run the command that the arguments name."""
    app(prog_name="fieldfare")


if __name__ == "__main__":
    main()
