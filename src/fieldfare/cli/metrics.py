"""`fieldfare metrics`: `/metrics` for a machine on which no API runs.

`fieldfare serve` starts the same by itself.
"""

import typer


def metrics_command() -> None:
    """Answer /metrics on FIELDFARE_METRICS_PORT for the workers of this machine, until Ctrl-C.

    Where `fieldfare serve` runs it does so by itself, for the workers too.

    Example: FIELDFARE_METRICS_PORT=9464 fieldfare metrics
    """
    from fieldfare.cli.exporting import run

    raise typer.Exit(run(None))
