"""`fieldfare simulate mail`: the mail server of the demo, which delivers to nobody."""

from pathlib import Path
from typing import Annotated

import typer

from fieldfare.cli.steps import complain
from fieldfare.settings import DEFAULT_HOME

Port = Annotated[int, typer.Option(min=1, max=65_535)]


def mail_sink(
    smtp_port: Port = 3025,
    http_port: Port = 3026,
    home: Annotated[
        Path, typer.Option(help="The folder in which mail is kept over a restart.")
    ] = Path(DEFAULT_HOME),
) -> None:
    """Take every mail over SMTP, deliver none, and show them all at http://127.0.0.1:3026/inbox.

    Example: fieldfare simulate mail --smtp-port 3025 --http-port 3026 --home .fieldfare
    """
    # Loaded here: commands that have nothing to do with it do not pay for its libraries.
    from fieldfare.simulators.mail.process import PortTaken, run_sink

    try:
        run_sink(smtp_port, http_port, home)
    except PortTaken as taken:
        complain(str(taken))
        raise typer.Exit(1) from taken
