"""`GET /api/portfolios`: what can be ordered, and what a tonne of it costs.

Served from memory: what everybody sees is encoded once for each catalogue, which is compared by
identity, so that a new price is shown from the moment on at which it is charged.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec
from litestar import Response
from msgspec import UNSET, UnsetType

from fieldfare.catalog.model import Catalogue, Portfolio
from fieldfare.catalog.schemas import FullList, ShortList, full_portfolio, short_portfolio
from fieldfare.catalog.service import CatalogDesk, LiveCatalogDesk, portfolios_for
from fieldfare.http.answers import bytes_answer
from fieldfare.http.call import OpenCall
from fieldfare.http.edge import ANY_ORIGIN
from fieldfare.http.encoding import encode_json
from fieldfare.http.ready import ReadyAnswer, ready_json


class Form(msgspec.Struct, frozen=True):
    """How the answer is written."""

    public_url: str
    is_expanded: bool
    is_test: bool


async def list_portfolios(call: OpenCall[CatalogDesk]) -> Response[Any]:
    """The portfolios for everybody, and the caller's own after them."""
    catalogue = await call.desk.catalogue()
    principal = call.principal
    form = Form(
        public_url=call.desk.public_url,
        is_expanded="expanded" in call.query,
        is_test=principal is not None and principal.is_test,
    )
    if principal is None or principal.account_id not in catalogue.custom:
        return bytes_answer(_for_everybody(catalogue, form))
    return bytes_answer(_encode(portfolios_for(catalogue, principal.account_id), form))


def find_ready_portfolios(desk: LiveCatalogDesk) -> ReadyAnswer | None:
    """The same for whoever sends no token, unless the catalogue must be read."""
    catalogue = desk.cache.kept(datetime.now(UTC))
    if catalogue is None:
        return None
    return _ready(catalogue, Form(desk.public_url, is_expanded=False, is_test=False))


@lru_cache(maxsize=2)
def _ready(catalogue: Catalogue, form: Form) -> ReadyAnswer:
    return ready_json(_for_everybody(catalogue, form), ANY_ORIGIN)


# Two forms of the present catalogue and of the sandbox's, with room for the ones before.
@lru_cache(maxsize=8)
def _for_everybody(catalogue: Catalogue, form: Form) -> bytes:
    return _encode(portfolios_for(catalogue, None), form)


def _encode(portfolios: tuple[Portfolio, ...], form: Form) -> bytes:
    test: Literal[True] | UnsetType = True if form.is_test else UNSET
    if form.is_expanded:
        full = [full_portfolio(portfolio, form.public_url) for portfolio in portfolios]
        return encode_json(FullList(full, test))
    short = [short_portfolio(portfolio, form.public_url) for portfolio in portfolios]
    return encode_json(ShortList(short, test))
