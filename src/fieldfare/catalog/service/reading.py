"""What is sold, kept in memory by each process for as long as the change feed vouches for it.

An order is priced from one `Catalogue` from its first line to its last, so a change in between
cannot mix two prices.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from fieldfare.catalog import rules, store
from fieldfare.catalog.errors import (
    NothingForSale,
    NoTreeProvider,
    PortfolioClosed,
    PortfolioNotFound,
    ProjectClosed,
    ProjectNotFound,
    TreesSoldOut,
    UseTreeOrders,
)
from fieldfare.catalog.model import Catalogue, Portfolio, Project
from fieldfare.db.cached import Cached
from fieldfare.db.changes import ChangeFeed
from fieldfare.db.pool import Database, connection

TOPIC = "catalog"


class CatalogDesk(Protocol):
    """Where a handler gets the catalogue: the live one, or the sandbox's preset."""

    @property
    def public_url(self) -> str:
        """What clients see of this host, without a slash at the end."""

    async def catalogue(self) -> Catalogue:
        """What is sold now."""


async def load_catalogue(db: Database, now: datetime) -> Catalogue:
    """What the database sells at the instant `now`, read in one snapshot."""
    async with connection(db) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        revision = await store.find_newest_revision(conn)
        rows = await store.list_rows(conn)
    return rules.build_catalogue(rows, revision or 0, now)


class CatalogueCache:
    """The catalogue as of one revision of the topic `catalog`, until its next price begins."""

    def __init__(self, feed: ChangeFeed, db: Database) -> None:
        self._cached: Cached[Catalogue] = Cached(feed, TOPIC)
        self._db = db

    def kept(self, now: datetime) -> Catalogue | None:
        """What is sold at `now`, if it need not be read."""
        return self._cached.kept(lambda kept: _holds_at(kept, now))

    async def current(self, now: datetime) -> Catalogue:
        """What is sold at `now`; raises `Unavailable` if it must be read and cannot be."""
        return await self._cached.current(
            lambda: load_catalogue(self._db, now), lambda kept: _holds_at(kept, now)
        )


def _holds_at(catalogue: Catalogue, now: datetime) -> bool:
    return catalogue.valid_until is None or now < catalogue.valid_until


@dataclass(frozen=True)
class LiveCatalogDesk:
    """The catalogue of the database."""

    cache: CatalogueCache
    public_url: str

    async def catalogue(self) -> Catalogue:
        """What is sold now."""
        return await self.cache.current(datetime.now(UTC))


def portfolios_for(catalogue: Catalogue, account_id: int | None) -> tuple[Portfolio, ...]:
    """The portfolios that an account, or anybody, can order: the default first, its own last."""
    own = () if account_id is None else catalogue.custom.get(account_id, ())
    return catalogue.listed + own


def get_portfolio(
    catalogue: Catalogue, portfolio_id: int | None, account_id: int | None
) -> Portfolio:
    """The portfolio that an account asks for; the default one for None.

    Raises `PortfolioNotFound` alike for one that is not there and one of another account,
    `PortfolioClosed`, and `NothingForSale` if there is no default.
    """
    if portfolio_id is None:
        return _default_portfolio(catalogue)
    portfolio = catalogue.portfolios.get(portfolio_id)
    if portfolio is None or portfolio.account_id not in (None, account_id):
        raise PortfolioNotFound(portfolio_id)
    if not portfolio.is_open:
        raise PortfolioClosed(portfolio_id)
    return portfolio


def _default_portfolio(catalogue: Catalogue) -> Portfolio:
    portfolio = catalogue.portfolios.get(catalogue.default_portfolio_id or 0)
    if portfolio is None or not portfolio.is_open:
        raise NothingForSale(
            "There is no default portfolio at the moment. "
            "Name a portfolioId from GET /api/portfolios, or ask again later."
        )
    return portfolio


def get_tree_provider(catalogue: Catalogue) -> Project:
    """The project that tree orders go to; it has a price.

    Raises `NoTreeProvider` or, if it is closed, `TreesSoldOut`.
    """
    provider = catalogue.projects.get(catalogue.tree_provider_id or 0)
    if provider is None or provider.unit_price_micro is None:
        raise NoTreeProvider
    if not provider.is_open:
        raise TreesSoldOut
    return provider


def get_project(catalogue: Catalogue, project_id: int) -> Project:
    """A project that anybody can give an amount to: priced per tonne, or without a unit.

    Raises `ProjectNotFound`, `UseTreeOrders` or `ProjectClosed`.
    """
    project = catalogue.projects.get(project_id)
    if project is None:
        raise ProjectNotFound(
            "There is no project with this id. GET /api/portfolios shows projects with their ids.",
            param="projectId",
        )
    if project.unit == "tree":
        raise UseTreeOrders(project_id)
    # Without a price: it is on record, and its price begins at an instant that has not come.
    if not project.is_open or (project.unit == "tonne" and project.unit_price_micro is None):
        raise ProjectClosed(project_id)
    return project


def image_address(public_url: str, image_url: str | None) -> str | None:
    """A picture's whole address: one of our own paths is put behind `public_url`."""
    if image_url is None or not image_url.startswith("/"):
        return image_url
    return public_url + image_url
