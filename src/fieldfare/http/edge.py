"""Where requests enter: each route of the product becomes a Litestar handler here.

A route says what it needs of the caller; who the caller is and which desk serves it is settled in
this one place, before the handler runs. Handlers see a `Call`, never a token.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from litestar import Request, Response
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from fieldfare.db.changes import ChangeFeed
from fieldfare.db.pool import Database
from fieldfare.http.answers import problem_answer
from fieldfare.http.auth import TokenCache
from fieldfare.http.call import Call, OpenCall
from fieldfare.http.limits.gate import Gate
from fieldfare.http.principal import Principal
from fieldfare.http.ready import ReadyAnswer
from fieldfare.kernel import limits
from fieldfare.kernel.errors import AccessRefused, TooManyRequests

Needs = Literal["token", "nothing"]
Method = Literal["GET", "POST"]

ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
PREFLIGHT = {
    **ANY_ORIGIN,
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, If-None-Match",
    "Access-Control-Max-Age": "86400",
}


class Route(msgspec.Struct, frozen=True):
    """One endpoint: `POST /api/offset-orders → orders.api.place_offset_order`."""

    method: Method
    path: str
    handler: Callable[[Any], Awaitable[Response[Any]]]
    """Takes a `Call`, or an `OpenCall` where no token is needed."""
    needs: Needs = "token"
    any_origin: bool = False
    """A public read: a browser may fetch it from any page."""
    is_counted: bool = True
    """Held against a rate limit; not what watches over us or must reach us."""
    is_order: bool = False
    """Refused unread while more orders wait than can be carried out in time."""
    find_ready: Callable[[Any], ReadyAnswer | None] | None = None
    """Gives the live desk's answer to whoever asks without token and parameters, if it is ready."""
    max_body_bytes: int = limits.BODY_BYTES


@dataclass(frozen=True, slots=True)
class Edge:
    """What a running application serves its requests from."""

    db: Database
    feed: ChangeFeed
    tokens: TokenCache
    gate: Gate
    live_desk: Any
    test_desk: Any
    """Both stand in for every feature's desk; `create_app` puts them together."""

    def desk_of(self, principal: Principal | None) -> Any:
        """The one place in which live and test mode part."""
        return self.test_desk if principal is not None and principal.is_test else self.live_desk


def edge_of(request: Request[Any, Any, Any]) -> Edge:
    """The edge of the application that serves this request."""
    edge: Edge = request.app.state.edge
    return edge


def handlers_of(routes: Iterable[Route]) -> list[HTTPRouteHandler]:
    """The Litestar handlers of all routes, one for each path."""
    by_path: dict[str, list[Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, []).append(route)
    return [as_litestar(*group) for group in by_path.values()]


def as_litestar(*routes: Route) -> HTTPRouteHandler:
    """The Litestar handler of all routes of one path; that of a public read answers preflights too.

    One handler for a path, because the `Allow` of Litestar's own answer to OPTIONS names the
    methods of one handler only.
    """
    by_method: dict[str, Route] = {route.method: route for route in routes}
    if "GET" in by_method:
        by_method["HEAD"] = by_method["GET"]
    methods = [HttpMethod(method) for method in by_method]
    if any(route.any_origin for route in routes):
        methods.append(HttpMethod.OPTIONS)
    preflight = {**PREFLIGHT, "Allow": ", ".join(sorted(methods))}

    async def handle(request: Request[Any, Any, Any]) -> Response[Any]:
        if request.method == HttpMethod.OPTIONS:
            return Response(b"", status_code=204, headers=preflight)
        route = by_method[request.method]
        serve = _with_token if route.needs == "token" else _open
        response = await serve(request, route)
        if route.any_origin:
            response.headers.update(ANY_ORIGIN)
        return response

    return HTTPRouteHandler(
        routes[0].path,
        http_method=methods,
        status_code=200,
        request_max_body_size=max(route.max_body_bytes for route in routes),
        include_in_schema=False,
    )(handle)


async def _with_token(request: Request[Any, Any, Any], route: Route) -> Response[Any]:
    edge = edge_of(request)
    principal = await _identify(edge, request)
    request.scope["state"]["account_id"] = principal.account_id
    refusal = edge.gate.refuse_caller(request.scope, principal)
    if refusal is not None:
        return problem_answer(refusal)
    return await route.handler(Call(request, principal, edge.desk_of(principal)))


async def _open(request: Request[Any, Any, Any], route: Route) -> Response[Any]:
    edge = edge_of(request)
    principal = await _identify_if_any(edge, request)
    if route.is_counted:
        refusal = _refuse_reader(edge, request, principal)
        if refusal is not None:
            return problem_answer(refusal)
    return await route.handler(OpenCall(request, principal, edge.desk_of(principal)))


def _refuse_reader(
    edge: Edge, request: Request[Any, Any, Any], principal: Principal | None
) -> TooManyRequests | None:
    if principal is None:
        return edge.gate.refuse_stranger(request.scope)
    return edge.gate.refuse_caller(request.scope, principal)


async def _identify(edge: Edge, request: Request[Any, Any, Any]) -> Principal:
    """Who asks; raises `AccessRefused`, or `TooManyRequests` if that was asked too often in vain.

    A look-up counts for the address unless the token proves good, or nobody can say.
    """
    authorization = request.headers.get("authorization")
    cached = edge.tokens.find_cached(authorization)
    if cached is not None:
        return cached
    refusal = edge.gate.refuse_stranger(request.scope)
    if refusal is not None:
        raise refusal
    is_wrong = False
    try:
        return await edge.tokens.get_principal(authorization)
    except AccessRefused:
        is_wrong = True
        raise
    finally:
        if not is_wrong:
            edge.gate.pardon_stranger(request.scope)


async def _identify_if_any(edge: Edge, request: Request[Any, Any, Any]) -> Principal | None:
    if "authorization" not in request.headers:
        return None
    try:
        return await _identify(edge, request)
    except AccessRefused:
        return None
