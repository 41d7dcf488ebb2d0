"""What a mail says, all pure: `words` in each language, `formats` of figures, `receipt` itself."""

from fieldfare.notifications.rules.receipt import ReceiptView, receipt_message_id, view_receipt

__all__ = ["ReceiptView", "receipt_message_id", "view_receipt"]
