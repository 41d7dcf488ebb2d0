"""One request as a handler sees it: who asks, what was sent, and the desk that carries it out.

There is one handler per endpoint for live and test tokens. What differs between them is the *desk*:
the live one acts on the books, the sandbox's answers from a preset. Which one it is was decided
before the handler runs, in `app.create_app`, by the kind of the token.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Request, Response

from fieldfare.http.body import Fields, read_fields
from fieldfare.http.idempotency import RequestKey, check_key, request_key
from fieldfare.http.principal import Principal
from fieldfare.kernel.errors import AccessRefused

DeskT_co = TypeVar("DeskT_co", covariant=True)

KEY_HEADER = "idempotency-key"


@dataclass(frozen=True, slots=True)
class Call(Generic[DeskT_co]):
    """A request of a known caller."""

    request: Request[Any, Any, Any]
    principal: Principal
    desk: DeskT_co

    async def fields(self) -> Fields:
        """The body's fields; raises 400, 413 or 415 for a body that cannot be read.

        A key of the wrong form is refused here, for every POST alike.
        """
        check_key(self.request.headers.get(KEY_HEADER))
        body = await self.request.body()
        return read_fields(self.request.headers.get("content-type"), body)

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the URL."""
        return self.request.query_params

    def key(self, asked: msgspec.Struct) -> RequestKey | None:
        """The client's key for `asked`, the decoded body of a request that takes effect."""
        header = self.request.headers.get(KEY_HEADER)
        return request_key(header, self.principal, self.request.scope["path"], asked)

    async def leaving(self) -> None:
        """Return once the client has gone away; for after its body has been read."""
        while (await self.request.receive())["type"] != "http.disconnect":
            pass

    def require_writer(self) -> None:
        """Raise 403 for a personal token whose user has no account identity."""
        if not self.principal.may_write:
            raise AccessRefused(
                "This personal token belongs to a user without an account. Sign in once with a "
                "password, Google or Shopify, or use a team's token.",
                code="account_required",
            )


@dataclass(frozen=True, slots=True)
class OpenCall(Generic[DeskT_co]):
    """A request of anybody; `principal` is set if a good token came with it."""

    request: Request[Any, Any, Any]
    principal: Principal | None
    desk: DeskT_co

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the URL."""
        return self.request.query_params


Handler = Callable[[Call[Any]], Awaitable[Response[Any]]]
OpenHandler = Callable[[OpenCall[Any]], Awaitable[Response[Any]]]
