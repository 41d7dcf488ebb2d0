"""`python -m fieldfare.simulators.stripe`: the simulator without the rest of the command line.

It starts faster than `fieldfare simulate stripe`, which takes the same options.
"""

import argparse
import logging
import sys
from pathlib import Path

import structlog

from fieldfare.simulators.stripe.errors import SimulatorRefused
from fieldfare.simulators.stripe.process import (
    DEFAULT_PORT,
    DEFAULT_STRIPE_KEY,
    Options,
    pair_webhooks,
    run,
)


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="fieldfare.simulators.stripe", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--secret-key", default=DEFAULT_STRIPE_KEY)
    parser.add_argument("--webhook", action="append", default=[])
    parser.add_argument("--webhook-secret", action="append", default=[])
    given = parser.parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
    try:
        options = Options(
            host=given.host,
            port=given.port,
            home=given.home,
            secret_key=given.secret_key,
            webhooks=pair_webhooks(given.webhook, given.webhook_secret),
        )
        run(options, ready=lambda url: print(f"Stripe simulator on {url}", flush=True))
    except SimulatorRefused as refusal:
        print(f"fieldfare: {refusal}", file=sys.stderr)
        raise SystemExit(1) from refusal


if __name__ == "__main__":
    main()
