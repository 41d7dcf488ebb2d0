"""The sandbox's desk: every kind of desk at once, answered from the preset."""

from dataclasses import dataclass

from fieldfare.sandbox.certificates import SandboxCertificateDesk
from fieldfare.sandbox.credits import SandboxCreditDesk
from fieldfare.sandbox.events import SandboxEventDesk
from fieldfare.sandbox.history import SandboxHistoryDesk
from fieldfare.sandbox.orders import SandboxOrderDesk


@dataclass(frozen=True)
class SandboxDesk(
    SandboxOrderDesk,
    SandboxHistoryDesk,
    SandboxCertificateDesk,
    SandboxCreditDesk,
    SandboxEventDesk,
):
    """Answers as the live desks would, and does nothing."""
