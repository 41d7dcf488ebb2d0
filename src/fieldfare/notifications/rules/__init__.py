"""What a mail says, all pure: `words` in each language, `formats` of figures, the `frame` that all
mails share, and each kind of mail itself.
"""

from fieldfare.notifications.rules.frame import FrameView
from fieldfare.notifications.rules.receipt import ReceiptView, receipt_message_id, view_receipt
from fieldfare.notifications.rules.refill import (
    RefillFailedView,
    refill_message_id,
    view_refill_failed,
)

__all__ = [
    "FrameView",
    "ReceiptView",
    "RefillFailedView",
    "receipt_message_id",
    "refill_message_id",
    "view_receipt",
    "view_refill_failed",
]
