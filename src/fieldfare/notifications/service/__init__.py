"""The use cases of mail: `rendering` a receipt, `sending` a mail once."""

from fieldfare.notifications.service.rendering import render_receipt
from fieldfare.notifications.service.sending import send_once

__all__ = ["render_receipt", "send_once"]
