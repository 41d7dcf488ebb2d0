"""An account's lists as a client reads them, whole or page by page, whatever form the body has."""

import json
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import psycopg

from tests.support.client import Api


class OrderList(msgspec.Struct, frozen=True):
    """One of the lists, with what its form asks of a reader."""

    path: str
    name: str | None
    """Under which the rows stand; None for a bare array."""
    group: str
    """The field with the order group id."""
    id: str = "id"
    """The field with the id that the rows are sorted by."""

    def get(self, api: Api, token: str | None = None, **parameters: Any) -> httpx.Response:
        """An answer of the list, which must be a good one."""
        answer = api.get(self.path, token, **parameters)
        assert answer.status_code == 200, answer.text
        return answer

    def rows_of(self, answer: httpx.Response) -> list[dict[str, Any]]:
        """The rows of an answer, with numbers as they are written."""
        body = json.loads(answer.text, parse_float=Decimal)
        rows: list[dict[str, Any]] = body if self.name is None else body[self.name]
        return rows

    def rows(self, api: Api, token: str | None = None, **parameters: Any) -> list[dict[str, Any]]:
        """The rows that are found."""
        return self.rows_of(self.get(api, token, **parameters))

    def cursor_of(self, answer: httpx.Response) -> str | None:
        """Where the next page begins: in the body, or behind the link of a bare array."""
        if self.name is not None:
            cursor: str | None = answer.json()["nextCursor"]
            return cursor
        link = answer.links.get("next")
        return None if link is None else httpx.URL(link["url"]).params["cursor"]

    def pages(
        self, api: Api, token: str | None = None, **parameters: Any
    ) -> list[list[dict[str, Any]]]:
        """Every page from the newest row on."""
        answer = self.get(api, token, **parameters)
        pages = [self.rows_of(answer)]
        while cursor := self.cursor_of(answer):
            answer = self.get(api, token, **parameters, cursor=cursor)
            pages.append(self.rows_of(answer))
        return pages


TREES = OrderList("/api/tree-orders", "treeOrders", "orderGroupId")
DONATIONS = OrderList("/api/project-donations", None, "orderGroupId")
PURCHASES = OrderList("/api/purchases", "purchases", "stripeChargeId", "purchaseId")

DONATED_TO = 31
"""A project without a unit."""


def plant(api: Api, token: str | None = None, **fields: Any) -> Any:
    """An order of three trees paid from credits unless `fields` say otherwise; its answer."""
    return _placed(api, "/api/tree-orders", token, {"amountOfTrees": 3, **fields})


_MULTIPLY = """
create temporary table number as
select n, (left(o.hex, 12) || '70008' || lpad(to_hex(n), 15, '0'))::uuid as id
from generate_series(1, %(orders)s) as n
cross join (select replace(id::text, '-', '') as hex from orders.purchase) as o;

create temporary table bought as select p.* from orders.purchase p cross join number;
update bought b set id = n.id
from (select ctid, row_number() over () as n from bought) c join number n using (n)
where b.ctid = c.ctid;

create temporary table lined as select l.* from orders.line l cross join number;
update lined l set id = n.id, purchase_id = n.id
from (select ctid, row_number() over () as n from lined) c join number n using (n)
where l.ctid = c.ctid;

insert into orders.purchase select * from bought;
insert into orders.line select * from lined;
analyze orders.purchase;
analyze orders.line
"""


def plant_many(api: Api, orders: int) -> None:
    """One order of three trees, the first of this database, and so many copies of it."""
    plant(api)
    with psycopg.connect(api.database_url) as conn:
        for statement in _MULTIPLY.split(";"):
            conn.execute(statement, {"orders": orders} if "%" in statement else None)


def give(api: Api, token: str | None = None, **fields: Any) -> Any:
    """A donation of $1.50 from credits unless `fields` say otherwise; its answer."""
    body = {"projectId": DONATED_TO, "amountInUsdCents": 150, **fields}
    return _placed(api, "/api/project-orders", token, body)


def _placed(api: Api, path: str, token: str | None, body: dict[str, Any]) -> Any:
    answer = api.post(path, {"paymentMethod": "credits", **body}, token=token)
    assert answer.status_code == 200, answer.text
    return answer.json()
