"""Traces, as a collector gets them over the wire: what belongs together, and what is never told."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from tests.support.processes import ApiProcess
from tests.support.world import World, make_world

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NOTE, PERSON = "canary-note", "Canary Person"
WITHOUT_THE_LIBRARIES = """
import sys
sys.modules["opentelemetry.sdk.trace"] = None
from fieldfare.cli.main import main
sys.argv = ["fieldfare", "worker"]
main()
"""


class Collector:
    """Takes OTLP over HTTP, as protobuf."""

    def __init__(self, server: ThreadingHTTPServer, got: list[tuple[str, bytes]]) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self._got = got

    def resources(self) -> list[ResourceSpans]:
        """What was sent until now."""
        assert {path for path, _ in self._got} <= {"/v1/traces"}
        return [
            resource
            for _, body in self._got
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        ]

    def spans(self) -> list[Span]:
        """Every span."""
        return [
            span
            for resource in self.resources()
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def raw(self) -> bytes:
        """All of it, to be searched."""
        return b"".join(body for _, body in self._got)


@contextmanager
def collecting() -> Iterator[Collector]:
    got: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Collector(server, got)
        finally:
            server.shutdown()
            thread.join()


def attributes(span: Span) -> dict[str, str | int]:
    return {one.key: one.value.int_value or one.value.string_value for one in span.attributes}


def test_an_order_is_one_trace_with_its_client_and_tells_no_secret(
    database_url: str, tmp_path: Path
) -> None:
    team: World = asyncio.run(make_world(database_url))
    order = {"tons": 0.01, "paymentMethod": "credits", "note": NOTE, "onBehalfOf": {"name": PERSON}}
    with collecting() as collector:
        environment = {"FIELDFARE_TRACES_URL": collector.url}
        api = ApiProcess(database_url, tmp_path / "api.log", environment=environment)
        try:
            api.wait_until_ready()
            with httpx.Client(base_url=api.base_url, timeout=20) as http:
                http.headers["Authorization"] = f"Bearer {team.live_token}"
                traceparent = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "asked-1"}
                bought = http.post("/api/offset-orders", json=order, headers=traceparent)
                assert bought.status_code == 200, bought.text
                shown = http.get(
                    f"/api/orders/{bought.json()['purchaseId']}",
                    headers={"traceparent": "no-such-thing"},
                )
                assert shown.status_code == 200
        finally:
            assert api.stop() == 0
        spans = {span.name: span for span in collector.spans()}
        asked, shared = spans["POST /api/offset-orders"], spans["group commit"]
        assert (asked.trace_id.hex(), asked.parent_span_id.hex()) == (TRACE, PARENT)
        assert attributes(asked) == {
            "http.request.method": "POST", "http.route": "/api/offset-orders",
            "http.response.status_code": 200, "fieldfare.request_id": "asked-1",
        }  # fmt: skip
        assert shared.trace_id != asked.trace_id
        assert [link.span_id for link in shared.links] == [asked.span_id]
        assert attributes(shared) == {"fieldfare.orders": 1}
        looked = spans["GET /api/orders/{purchase_id}"]
        assert looked.trace_id.hex() != TRACE
        assert looked.parent_span_id == b""
        services = {
            one.value.string_value
            for resource in collector.resources()
            for one in resource.resource.attributes
            if one.key == "service.name"
        }
        assert services == {"fieldfare-api"}
        for secret in (team.live_token, NOTE, PERSON, bought.json()["purchaseId"]):
            assert secret.encode() not in collector.raw()


def test_a_collector_that_is_away_costs_no_request_and_no_clean_end(
    database_url: str, tmp_path: Path
) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    api = ApiProcess(database_url, tmp_path / "api.log", environment=environment)
    api.wait_until_ready()
    assert api.stop() == 0


def test_without_the_libraries_the_start_is_refused_with_the_remedy() -> None:
    refused = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_LIBRARIES],
        env={**os.environ, "PYTHONPATH": "src", "FIELDFARE_TRACES_URL": "http://127.0.0.1:9",
             "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "pip install 'fieldfare[traces]'" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
