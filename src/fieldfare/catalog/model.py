"""The catalogue twice: as rows that are kept and compared, and as it is sold at one instant.

The rows (`…Row`) are what `catalog.revision` records of each change. The sold form is built from
them by `rules.build_catalogue` and read by every order, so all that can be worked out ahead is in
it: splitting an order takes nothing but integers.
"""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from fieldfare.kernel.money import PPM

Unit: TypeAlias = Literal["tonne", "tree", "none"]
"""What a project is priced by; `none` takes donations of any amount."""
Standing: TypeAlias = Literal["certified", "external_standard", "uncertified"]
PayoutMethod: TypeAlias = Literal["stripe_connect", "bank_transfer"]

MIN_UNIT_PRICE_MICRO = 1_000_000
MAX_UNIT_PRICE_MICRO = 1_000_000_000_000
MIN_PARTNER_SHARE_PPM = 700_000
MAX_PARTNER_SHARE_PPM = 950_000

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=4_000)]
CountryCode: TypeAlias = Annotated[str, Meta(pattern="^[A-Z]{2}$")]
CurrencyCode: TypeAlias = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
ImageUrl: TypeAlias = Annotated[str, Meta(pattern="^(/static/|https://)[^ ]+$", max_length=500)]
Latitude: TypeAlias = Annotated[float, Meta(ge=-90, le=90)]
Longitude: TypeAlias = Annotated[float, Meta(ge=-180, le=180)]
Goals: TypeAlias = tuple[Annotated[int, Meta(ge=1, le=17)], ...]
PartnerSharePpm: TypeAlias = Annotated[
    int, Meta(ge=MIN_PARTNER_SHARE_PPM, le=MAX_PARTNER_SHARE_PPM)
]
UnitPriceMicro: TypeAlias = Annotated[int, Meta(ge=MIN_UNIT_PRICE_MICRO, le=MAX_UNIT_PRICE_MICRO)]
WeightPpm: TypeAlias = Annotated[int, Meta(ge=1, le=PPM)]


class PartnerRow(msgspec.Struct, frozen=True, kw_only=True):
    """Who runs projects and is paid for them at month end."""

    id: int
    name: Name
    country: CountryCode
    payout_currency: CurrencyCode
    payout_method: PayoutMethod
    stripe_account: str | None = None


class ProjectFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a project, wherever it is written down."""

    name: Name
    description: Text
    unit: Unit
    standing: Standing
    certification_status: Name
    """The label shown, for instance `standard 2023`."""
    registry: Name | None = None
    methodology: Text
    vintage: Text
    durability: Text
    risk_note: Text
    country: CountryCode
    latitude: Latitude
    longitude: Longitude
    sdgs: Goals
    """Numbers of the UN Sustainable Development Goals that it serves."""
    image_url: ImageUrl | None = None
    """A path that starts with `/static/` on this host, or an address of its own."""
    is_tree_provider: bool = False
    """True for the one project that tree orders go to."""
    provider_name: Name | None = None
    is_open: bool = True


class ProjectRow(ProjectFacts, frozen=True, kw_only=True):
    """A project as it is kept."""

    id: int
    partner_id: int
    partner_share_ppm: PartnerSharePpm
    """What the partner is paid of each cent."""


class WeightRow(msgspec.Struct, frozen=True, kw_only=True):
    """A project's share of the money of a portfolio."""

    project_id: int
    weight_ppm: WeightPpm


class PortfolioFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a portfolio, wherever it is written down."""

    name: Name
    description: Text
    image_url: ImageUrl | None = None
    is_default: bool = False
    is_open: bool = True


class PortfolioRow(PortfolioFacts, frozen=True, kw_only=True):
    """A portfolio as it is kept, with its weights by project id."""

    id: int
    account_id: int | None = None
    """Set for a custom portfolio: only its account sees it."""
    weights: tuple[WeightRow, ...]


class PriceRow(msgspec.Struct, frozen=True, kw_only=True):
    """The price of one tonne or tree from an instant on, in millionths of a US cent."""

    project_id: int
    effective_at: datetime
    unit_price_micro: UnitPriceMicro


class Rows(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rows of the catalogue: all of them, or those that one change writes.

    In a change a portfolio comes with all its weights, so what it does not name is taken out.
    """

    partners: tuple[PartnerRow, ...] = ()
    projects: tuple[ProjectRow, ...] = ()
    portfolios: tuple[PortfolioRow, ...] = ()
    prices: tuple[PriceRow, ...] = ()


class Project(ProjectRow, frozen=True, kw_only=True):
    """A project as it is sold."""

    partner_name: str
    unit_price_micro: int | None
    """Of one tonne or tree, in millionths of a US cent; None without a unit, or without a price."""

    @property
    def provider(self) -> str:
        """Who plants its trees, as clients are told."""
        return self.provider_name or self.partner_name


class PortfolioPart(msgspec.Struct, frozen=True):
    """A project in a portfolio, with its share of the money."""

    project: Project
    weight_ppm: int


class Portfolio(msgspec.Struct, frozen=True, kw_only=True):
    """A portfolio as it is sold; `parts`, `money_weights` and `mass_weights` go side by side."""

    id: int
    name: str
    description: str
    image_url: str | None
    account_id: int | None
    """Set for a custom portfolio: only its account sees it."""
    is_default: bool
    is_open: bool
    """False also if one of its projects is closed: the money could not be split as shown."""
    parts: tuple[PortfolioPart, ...]
    """By project id."""
    cost_per_ton_cents: int
    """The shown price of one tonne, which is the one charged."""
    money_weights: tuple[int, ...]
    """Each part's share of the money; whole numbers that sum to a million."""
    mass_weights: tuple[int, ...]
    """In proportion to each part's share of the tonnes; 0 for a project without a unit."""


# Compared and hashed by identity: what is derived from one catalogue can be kept beside it.
class Catalogue(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Everything that is sold, with the prices of one instant."""

    revision: int
    """Of `catalog.revision`; 0 for a preset."""
    projects: dict[int, Project]
    portfolios: dict[int, Portfolio]
    """All that can be priced, custom and closed ones too: ask `service.get_portfolio`."""
    listed: tuple[Portfolio, ...]
    """The open ones for everybody, the default first, then by id."""
    custom: dict[int, tuple[Portfolio, ...]]
    """The open ones of each account that has any, by id."""
    default_portfolio_id: int | None
    tree_provider_id: int | None
    """The project that tree orders go to."""
    valid_until: datetime | None
    """The next instant at which a price changes, if one is known."""
