"""The processor's SDK, loaded when something of it is first asked for.

It is one of the largest libraries here, and much that knows of the processor never calls it: a
command that lists what is recorded, a refund of credits. So the adapter's modules take the SDK from
here, and name its types in quotes; only the carrier (`transport`), which comes with the first
gateway, cannot do without it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import stripe as stripe
else:

    class _Sdk:
        def __getattr__(self, name: str) -> Any:
            import stripe

            return getattr(stripe, name)

    stripe = _Sdk()
