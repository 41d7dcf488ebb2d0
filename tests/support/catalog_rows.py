"""Small catalogues to test with: a row of each kind from the few values that matter."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fieldfare.catalog.model import (
    PartnerRow,
    PortfolioPart,
    PortfolioRow,
    PriceRow,
    Project,
    ProjectRow,
    Rows,
    Unit,
    WeightRow,
)

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
PARTNER = PartnerRow(
    id=1, name="Growers", country="TZ", payout_currency="USD", payout_method="bank_transfer"
)


def project_row(project_id: int, unit: Unit = "tonne", **fields: Any) -> ProjectRow:
    """A project of partner 1."""
    facts: dict[str, Any] = {
        "id": project_id,
        "partner_id": 1,
        "partner_share_ppm": 800_000,
        "name": f"Project {project_id}",
        "description": "Trees.",
        "unit": unit,
        "standing": "certified",
        "certification_status": "standard 2023",
        "methodology": "Counting",
        "vintage": "2025",
        "durability": "Decades",
        "risk_note": "Fire.",
        "country": "TZ",
        "latitude": -3.25,
        "longitude": 37.5,
        "sdgs": (13, 15),
    }
    return ProjectRow(**facts | fields)


def part(project_id: int, weight_ppm: int, unit_price_micro: int | None) -> PortfolioPart:
    """A project as it is sold, with its share; without a price it has no unit."""
    row = project_row(project_id, "none" if unit_price_micro is None else "tonne")
    fields = {name: getattr(row, name) for name in row.__struct_fields__}
    return PortfolioPart(
        Project(**fields, partner_name="Growers", unit_price_micro=unit_price_micro), weight_ppm
    )


def price_row(
    project_id: int, unit_price_micro: int, effective_at: datetime = BEGINNING
) -> PriceRow:
    """A price of a project from an instant on."""
    return PriceRow(
        project_id=project_id, effective_at=effective_at, unit_price_micro=unit_price_micro
    )


def portfolio_row(portfolio_id: int, weights_ppm: Mapping[int, int], **fields: Any) -> PortfolioRow:
    """A portfolio of these weights by project id."""
    facts: dict[str, Any] = {
        "id": portfolio_id,
        "name": f"Portfolio {portfolio_id}",
        "description": "A few of them.",
        "weights": tuple(
            WeightRow(project_id=project_id, weight_ppm=weight_ppm)
            for project_id, weight_ppm in weights_ppm.items()
        ),
    }
    return PortfolioRow(**facts | fields)


def small_rows() -> Rows:
    """Projects 1 ($20) and 2 ($40) per tonne, 3 ($1.20) per tree, 4 without a unit.

    Portfolio 12, the default, holds 1 and 2 in equal parts; portfolio 7 holds only 2.
    """
    return Rows(
        partners=(PARTNER,),
        projects=(
            project_row(1),
            project_row(2),
            project_row(3, "tree", is_tree_provider=True, provider_name="Growers"),
            project_row(4, "none"),
        ),
        portfolios=(
            portfolio_row(12, {1: 500_000, 2: 500_000}, is_default=True),
            portfolio_row(7, {2: 1_000_000}),
        ),
        prices=(
            price_row(1, 2_000_000_000),
            price_row(2, 4_000_000_000),
            price_row(3, 120_000_000),
        ),
    )
