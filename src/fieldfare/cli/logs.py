"""Structured logs: one JSON object a line on stdout, for our own events and the libraries' alike.

No event carries a header, a body or a token; fields that are named like secrets are blanked all the
same, in case somebody adds one.
"""

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from fieldfare.http.middleware import request_id

SECRET_FIELDS = frozenset({"authorization", "token", "password", "secret", "database_url", "key"})


def configure_logs(level: str) -> None:
    """Send everything that is logged in this process to stdout, from `level` up."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_request_id,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        blank_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(_number(level), logging.WARNING), force=True)


def add_request_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Name the request that is being served, if one is and the event names no other."""
    serving = request_id.get()
    return event if serving is None else {"request_id": serving, **event}


def blank_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Blank the values of fields whose names say that they hold a secret."""
    for name in SECRET_FIELDS & event.keys():
        event[name] = "[blanked]"
    return event


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]
