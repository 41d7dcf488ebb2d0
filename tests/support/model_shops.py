"""Shops to compare with the plain model, one run after the other in each as long as none fails."""

from contextlib import ExitStack
from datetime import date
from fractions import Fraction
from typing import Any

import httpx

from fieldfare.catalog.model import PortfolioRow, Rows, WeightRow
from tests.support.cards import CardShop, card_shop
from tests.support.mail_sink import MailSink
from tests.support.model_books import REFILLS_PER_DAY
from tests.support.model_prices import Money, Shelf, read_shelf
from tests.support.model_rows import read
from tests.support.refilling import Refilling
from tests.support.selling import change_catalogue
from tests.support.waiting import wait_until

MIXED = 41
DONATIONS = 31
RATES = {"EUR": "0.9137", "JPY": "155.25", "KWD": "0.30715"}
ON = date(2026, 11, 20)
MONEY = {
    "USD": Money("USD", 100, 1, Fraction(1)),
    "EUR": Money("EUR", 100, 1, Fraction(RATES["EUR"])),
    "JPY": Money("JPY", 1, 1, Fraction(RATES["JPY"])),
    "KWD": Money("KWD", 1_000, 10, Fraction(RATES["KWD"])),
}


class Shops:
    """A shop for one run after the other; after a run that failed, the next one gets a new one."""

    def __init__(self, server_url: str, template: str, sink: MailSink) -> None:
        self._server = (server_url, template)
        self._sink = sink
        self._open = ExitStack()
        self._last: Refilling | None = None
        self._shelf: Shelf | None = None
        self.steps = 0
        self.is_clean = False

    def next(self) -> tuple[Refilling, Shelf]:
        """A shop in which nothing is on its way, and what it sells."""
        if not self.is_clean or self._last is None or self._shelf is None:
            self.close()
            shop = self._open.enter_context(card_shop(*self._server))
            self._last, self._shelf = self._furnish(shop)
        self.is_clean = False
        self._sink.reset()
        return self._last, self._shelf

    def _furnish(self, shop: CardShop) -> tuple[Refilling, Shelf]:
        shop.begin()
        for code, rate in RATES.items():
            shop.set_rate(code, rate, ON)
        weights = {1: 250_000, 2: 300_000, 18: 200_000, DONATIONS: 250_000}
        mixed = PortfolioRow(
            id=MIXED,
            name="Mixed",
            description="Tonnes and a donation.",
            weights=tuple(
                WeightRow(project_id=one, weight_ppm=ppm) for one, ppm in weights.items()
            ),
        )
        change_catalogue(shop.database_url, Rows(portfolios=(mixed,)))
        wait_until(lambda: f'"id":{MIXED}' in shop.http.get("/api/portfolios").text)
        team = shop.team(None)

        def ask(method: str, path: str, body: Any) -> Any:
            headers = {"Authorization": f"Bearer {team.token}"}
            answer = shop.http.request(method, path, json=body, headers=headers)
            assert answer.status_code == httpx.codes.OK, answer.text
            return read(answer)

        refilling = Refilling(shop, self._sink)
        refilling.per_day = REFILLS_PER_DAY
        return refilling, read_shelf(ask)

    def close(self) -> None:
        """Give the shop back."""
        self._open.close()
        self._last = None
