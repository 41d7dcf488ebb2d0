"""Placing what a mail says: the view of each kind in its two templates, which share a frame.

What must hold: text and HTML get the same view; in HTML everything is escaped; a word that is
missing stops the mail instead of leaving a gap.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from fieldfare.integrations.mail import Mail
from fieldfare.notifications.model import MailKind, Receipt, RefillFailed
from fieldfare.notifications.rules import FrameView, view_receipt, view_refill_failed

_templates = Environment(
    loader=PackageLoader("fieldfare.notifications"),
    # By the file's ending: `.html` is escaped, `.txt` is not.
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render_receipt(receipt: Receipt) -> Mail:
    """The mail about a paid order; the same for the same receipt."""
    return _render("receipt", view_receipt(receipt), receipt.message_id, receipt.to)


def render_refill_failed(failed: RefillFailed) -> Mail:
    """The mail about a refill that came to nothing; the same for the same failure."""
    view = view_refill_failed(failed)
    return _render("refill_failed", view, failed.message_id, failed.to)


def _render(kind: MailKind, view: FrameView, message_id: str, to: str) -> Mail:
    return Mail(
        message_id=message_id,
        to=to,
        to_name=view.to_name,
        subject=view.subject,
        text=_templates.get_template(f"{kind}.txt").render(view=view),
        html=_templates.get_template(f"{kind}.html").render(view=view),
        headers={"Content-Language": view.language},
    )
