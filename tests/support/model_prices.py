"""What an order costs and how it is split, reckoned from the wire contract in exact fractions.

It knows the product's answers to `GET /api/portfolios?expanded` and the price of trees, and nothing
of its code: what the product and this come to has to be the same.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

MG_PER_TONNE = 10**9
MICRO_PER_CENT = 10**6
TREES = 30
"""The project of the tree provider, which no portfolio shows."""


@dataclass(frozen=True)
class Part:
    """A project's part of a portfolio."""

    project_id: int
    standing: str
    unit: str
    share: Fraction
    """Of the money."""
    dollars_per_tonne: Fraction | None


@dataclass(frozen=True)
class Money:
    """A currency as the processor takes it: `unit` smallest units make one of it."""

    code: str
    unit: int
    step: int
    per_dollar: Fraction


@dataclass(eq=False)
class Line:
    """A project's part of an order, and what of it went back."""

    project_id: int
    kind: str
    standing: str
    mass_mg: int
    trees: int
    amount_micro: int
    shown_micro: int
    gone_mg: int = 0
    gone_trees: int = 0
    gone_micro: int = 0

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it is left."""
        gone = (self.gone_mg, self.gone_trees, self.gone_micro)
        return gone == (self.mass_mg, self.trees, self.amount_micro)


@dataclass(frozen=True)
class Price:
    """What an order comes to."""

    cents: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Shelf:
    """What is sold."""

    portfolios: dict[int, tuple[Part, ...]]
    projects: dict[int, Part]
    dollars_per_tree: Fraction

    def offset(self, mass_mg: int, portfolio_id: int) -> Price:
        """Tonnes of a portfolio: a tonne costs the weighted harmonic mean, up to whole cents."""
        parts = self.portfolios[portfolio_id]
        cents = math.ceil(Fraction(mass_mg, MG_PER_TONNE) * cents_per_tonne(parts))
        shares = [part.share for part in parts]
        masses = split(mass_mg, [_bought(part) for part in parts])
        amounts = split(cents * MICRO_PER_CENT, shares)
        shown = [one * MICRO_PER_CENT for one in split(cents, shares)] if cents >= 100 else amounts
        return Price(
            cents,
            tuple(
                _line(part, mass_mg=mass, amount_micro=amount, shown_micro=billed)
                for part, mass, amount, billed in zip(parts, masses, amounts, shown, strict=True)
            ),
        )

    def trees(self, trees: int) -> Price:
        """Trees of the current provider."""
        cents = math.ceil(trees * self.dollars_per_tree * 100)
        micro = cents * MICRO_PER_CENT
        return Price(cents, (Line(TREES, "tree", "external_standard", 0, trees, micro, micro),))

    def project(self, project_id: int, cents: int) -> Price:
        """An amount for one project, which buys what it can, rounded down."""
        part = self.projects[project_id]
        price = part.dollars_per_tonne
        mass_mg = 0 if price is None else math.floor(Fraction(cents, 100) / price * MG_PER_TONNE)
        micro = cents * MICRO_PER_CENT
        return Price(cents, (_line(part, mass_mg=mass_mg, amount_micro=micro, shown_micro=micro),))


def _line(part: Part, *, mass_mg: int, amount_micro: int, shown_micro: int) -> Line:
    kind = "donation" if part.unit == "none" else "offset"
    return Line(part.project_id, kind, part.standing, mass_mg, 0, amount_micro, shown_micro)


def _bought(part: Part) -> Fraction:
    """The tonnes that a dollar buys through this part."""
    return part.share / part.dollars_per_tonne if part.dollars_per_tonne else Fraction(0)


def cents_per_tonne(parts: Sequence[Part]) -> int:
    """What a tonne of a portfolio costs, as it is shown."""
    return math.ceil(100 / sum(_bought(part) for part in parts))


def split(whole: int, weights: Sequence[Fraction | int]) -> list[int]:
    """By largest remainder, ties to the first, who has the lower project id."""
    total = Fraction(sum(weights))
    exact = [Fraction(whole) * weight / total for weight in weights]
    parts = [math.floor(one) for one in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[: whole - sum(parts)]:
        parts[i] += 1
    return parts


def charge_minor(cents: int, money: Money) -> int:
    """What a card is charged for a price: up to the next amount that can be charged."""
    exact = Fraction(cents, 100) * money.per_dollar * money.unit
    return math.ceil(exact / money.step) * money.step


def read_shelf(ask: Callable[..., Any]) -> Shelf:
    """What the product says it sells; `ask(method, path, body)` gives a decoded answer."""
    listed = ask("GET", "/api/portfolios?expanded=1", None)["portfolios"]
    portfolios = {
        one["id"]: tuple(sorted(map(_read_part, one["projects"]), key=lambda part: part.project_id))
        for one in listed
    }
    for one in listed:
        assert cents_per_tonne(portfolios[one["id"]]) == Fraction(one["costPerTon"]) * 100
    many = 10_000_000
    quoted = ask("POST", "/api/tree-orders/preview", {"amountOfTrees": many})["priceInUSD"]
    return Shelf(
        portfolios=portfolios,
        projects={part.project_id: part for parts in portfolios.values() for part in parts},
        dollars_per_tree=Fraction(Decimal(quoted)) / many,
    )


def _read_part(one: Any) -> Part:
    price = one["costPerTon"]
    return Part(
        project_id=one["id"],
        standing=one["standing"],
        unit=one["unit"],
        share=Fraction(one["percentage"]),
        dollars_per_tonne=None if price is None else Fraction(price),
    )
