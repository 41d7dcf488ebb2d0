"""Traces by OpenTelemetry, if an address is set for them; otherwise each call here does nothing.

What must hold: no span carries a name, an address, a token, a body or the words of an error, only
what is bounded or an id of ours; the libraries are loaded by `tracing` alone; and a collector that
is away costs spans and nothing else.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

from fieldfare.settings import Settings, SettingsRefused

Span: TypeAlias = Any
"""OpenTelemetry's, whose types are there only if the libraries are."""
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

EXPORT_S = 5.0
"""How long the collector may take over some spans; also at our end."""
_OFF: AbstractContextManager[None] = nullcontext()
_PARENT = (b"traceparent", b"tracestate")
_tracer: Any = None


@contextlib.asynccontextmanager
async def tracing(settings: Settings, service: str) -> AsyncIterator[None]:
    """Within the block, spans go to the collector, as those of `service`; if one is set.

    Raises `SettingsRefused` if the libraries are not installed.
    """
    global _tracer
    if settings.traces_url is None:
        yield
        return
    provider = _open_provider(settings.traces_url, service)
    _tracer = provider.get_tracer("fieldfare")
    try:
        yield
    finally:
        _tracer = None
        # Waits for the collector, in a thread of its own and no longer than `EXPORT_S`.
        provider.shutdown()


def _open_provider(url: str, service: str) -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsRefused(
            "traces are asked for by FIELDFARE_TRACES_URL or OTEL_EXPORTER_OTLP_ENDPOINT, and what "
            f"sends them is not installed ({error.name} is missing); run `pip install "
            "'fieldfare[traces]'`, or unset the variable"
        ) from error
    # The sampler is the SDK's own setting: OTEL_TRACES_SAMPLER.
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(endpoint=url, timeout=EXPORT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter, export_timeout_millis=EXPORT_S * 1e3))
    return provider


def span(
    name: str, links: Iterable[Span] = (), **attributes: str | int
) -> AbstractContextManager[Span | None]:
    """A span around a block, within the one that is open; gives it, or None without traces."""
    if _tracer is None:
        return _OFF
    return _within(name, None, "INTERNAL", links, attributes)


def request_span(method: str, headers: Headers) -> AbstractContextManager[Span | None]:
    """The span of a request; its client may have sent the one that it belongs to (W3C)."""
    if _tracer is None:
        return _OFF
    return _within(method, _parent_in(headers), "SERVER", (), {})


def call_span(name: str, **attributes: str | int) -> AbstractContextManager[Span | None]:
    """The span of a call of another system."""
    if _tracer is None:
        return _OFF
    return _within(name, None, "CLIENT", (), attributes)


def current() -> Span | None:
    """The span that is open here, to be linked from another one; None without traces."""
    if _tracer is None:
        return None
    from opentelemetry import trace

    return trace.get_current_span()


@contextlib.contextmanager
def _within(
    name: str, parent: Any, kind: str, links: Iterable[Span], attributes: dict[str, str | int]
) -> Iterator[Span]:
    from opentelemetry import trace

    opened = _tracer.start_as_current_span(
        name,
        context=parent,
        kind=trace.SpanKind[kind],
        links=[trace.Link(one.get_span_context()) for one in links if one is not None],
        attributes={f"fieldfare.{key}": value for key, value in attributes.items()},
        # An error's words may name a person, its trace what they sent.
        record_exception=False,
        set_status_on_exception=False,
    )
    with opened as one:
        try:
            yield one
        except BaseException as error:
            one.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


def _parent_in(headers: Headers) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carried = {key.decode(): value.decode("latin-1") for key, value in headers if key in _PARENT}
    return TraceContextTextMapPropagator().extract(carried)
