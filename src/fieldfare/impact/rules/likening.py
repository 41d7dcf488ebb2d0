"""What a mass of CO₂e is like in everyday terms, and what a rank says.

Factors, each in tonnes of CO₂e:

- a tree: 0.060 t taken up by an urban tree seedling in its first ten years, so 0.0060 t a year
  (US EPA, Greenhouse Gas Equivalencies Calculator, "urban tree seedlings grown for 10 years");
- a mile: 3.93e-4 t by an average gasoline-powered passenger vehicle (the same, "miles driven by the
  average gasoline-powered passenger vehicle": 8.89e-3 t a gallon ÷ 22.8 miles a gallon ÷ 0.993);
- a flight: 5,555 km from London to New York, one way, at 0.20011 kg a passenger-kilometre (UK DESNZ
  and DEFRA, greenhouse gas conversion factors 2023, long-haul, economy, with radiative forcing).
"""

from decimal import ROUND_HALF_UP, Decimal

from fieldfare.impact.model import Place
from fieldfare.kernel.mass import plain, tonnes_from_mg

TONNES_PER_TREE_YEAR = Decimal("0.0060")
TONNES_PER_MILE = Decimal("0.000393")
TONNES_PER_FLIGHT = Decimal(5555) * Decimal("0.20011") / 1000
_HUNDREDTH = Decimal("0.01")


def trees_per_year(mass_mg: int) -> Decimal:
    """Urban trees that take up this mass in a year, two decimals."""
    return _ratio(mass_mg, TONNES_PER_TREE_YEAR)


def miles_driven(mass_mg: int) -> Decimal:
    """Miles that an average car drives for this mass, two decimals."""
    return _ratio(mass_mg, TONNES_PER_MILE)


def flights_taken(mass_mg: int) -> Decimal:
    """Economy seats from London to New York for this mass, two decimals."""
    return _ratio(mass_mg, TONNES_PER_FLIGHT)


def place_of(rank: int, accounts: int) -> Place:
    """The place of the account at `rank` among `accounts` that have any mass.

    The two may come from readings a minute apart, so there are never fewer accounts than the rank.
    """
    among = max(accounts, rank)
    percentile = Decimal(100 * (among - rank + 1)) / Decimal(among)
    return Place(rank, plain(percentile.quantize(_HUNDREDTH, ROUND_HALF_UP)))


def _ratio(mass_mg: int, tonnes_each: Decimal) -> Decimal:
    return plain((tonnes_from_mg(mass_mg) / tonnes_each).quantize(_HUNDREDTH, ROUND_HALF_UP))
