"""The sandbox's desk for the processor's events: there are none in test mode."""

from fieldfare.payments.errors import EventNotAccepted


class SandboxEventDesk:
    """Where somebody hands in an event with a test token."""

    async def take_event(self, payload: bytes, signature: str | None) -> None:
        """Raise `EventNotAccepted`: what a test token does has no effect, signed or not."""
        raise EventNotAccepted(
            "A test token came with this event. Send it as the processor does, without any token."
        )
