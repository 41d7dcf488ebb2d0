"""`fieldfare simulate`: the other ends of the product, for demos and tests.

A simulator's modules are loaded by its own command, so that no other command pays for them.
"""

from pathlib import Path
from typing import Annotated

import typer

from fieldfare.cli.simulate_mail import mail_sink
from fieldfare.cli.steps import complain, say

simulate_app = typer.Typer(
    help="Run what stands for an outside system.", no_args_is_help=True, rich_markup_mode=None
)


@simulate_app.callback()
def simulate() -> None:
    """Run what stands for an outside system."""


@simulate_app.command("stripe")
def stripe_command(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Where it listens; 0: any.")] = 3002,
    host: Annotated[str, typer.Option(help="The address it listens on.")] = "127.0.0.1",
    home: Annotated[
        Path | None, typer.Option(help="A folder for its state; without, it remembers nothing.")
    ] = None,
    secret_key: Annotated[
        str | None, typer.Option(help="The API key that it accepts; without, the demo's.")
    ] = None,
    webhook: Annotated[
        list[str] | None, typer.Option(help="Send every event to this address; repeatable.")
    ] = None,
    webhook_secret: Annotated[
        list[str] | None, typer.Option(help="What signs them; one for each --webhook.")
    ] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Answer as Stripe's API does, on one port, until SIGTERM or Ctrl-C.

    Example: fieldfare simulate stripe --port 3002 --home .fieldfare/stripe
    """
    from fieldfare.cli.logs import configure_logs
    from fieldfare.simulators.stripe.errors import SimulatorRefused
    from fieldfare.simulators.stripe.process import (
        DEFAULT_STRIPE_KEY,
        Options,
        pair_webhooks,
        run,
    )

    if log_level.lower() not in {"debug", "info", "warning", "error"}:
        raise typer.BadParameter("it is debug, info, warning or error", param_hint="--log-level")
    configure_logs(log_level)
    try:
        options = Options(
            host=host,
            port=port,
            home=home,
            secret_key=secret_key or DEFAULT_STRIPE_KEY,
            webhooks=pair_webhooks(webhook or [], webhook_secret or []),
        )
        run(options, ready=lambda url: say(f"Stripe simulator on {url}"))
    except SimulatorRefused as refusal:
        complain(str(refusal))
        raise typer.Exit(1) from refusal


simulate_app.command("mail")(mail_sink)
