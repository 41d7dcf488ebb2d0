"""Charges through the gateway, as the product makes them, and servers that say what they like."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from fieldfare.integrations.stripe.gateway import StripeGateway, create_customer, create_intent
from fieldfare.integrations.stripe.model import Card, Charged, Outcome
from fieldfare.payments.rules import frozen_request

LIMIT_S = 1.5
"""How long a call may take in tests."""


async def card_of(gateway: StripeGateway, kind: str = "pm_card_visa") -> Card:
    """A new customer with a card."""
    return await create_customer(
        gateway, name="Ada", email="ada@tests.example", payment_method=kind, key=uuid4().hex
    )


def charge_request(card: Card, subject_id: object = "", **fields: Any) -> bytes:
    """A charge of $7.04 unless `fields` say otherwise."""
    facts: dict[str, Any] = {
        "amount_minor": 704, "currency": "USD", "customer": card.customer,
        "payment_method": card.payment_method, "subject": "purchase",
        "subject_id": subject_id or uuid4(),
    }  # fmt: skip
    return frozen_request(**facts | fields)


async def charge(gateway: StripeGateway, card: Card, **fields: Any) -> Outcome:
    """What becomes of one charge."""
    return await create_intent(gateway, charge_request(card, **fields), uuid4().hex)


async def new_charge(
    gateway: StripeGateway, kind: str = "pm_card_visa", currency: str = "USD"
) -> Charged:
    """A new customer's card is charged 704 minor units."""
    outcome = await charge(gateway, await card_of(gateway, kind), currency=currency)
    assert isinstance(outcome, Charged)
    return outcome


@asynccontextmanager
async def answering(
    answer: bytes, seen: list[bytes], *, each_byte_s: float = 0.0
) -> AsyncIterator[str]:
    """A server that says one thing to everybody, all at once or byte by byte."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            if each_byte_s:
                for byte in answer:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(each_byte_s)
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def http_answer(status: str, body: bytes, *headers: str) -> bytes:
    """The bytes of an answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
