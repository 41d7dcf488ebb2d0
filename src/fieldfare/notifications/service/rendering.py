"""Placing what a mail says: the view of a receipt in its two templates.

What must hold: text and HTML get the same view; in HTML everything is escaped; a word that is
missing stops the mail instead of leaving a gap.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from fieldfare.integrations.mail import Mail
from fieldfare.notifications.model import Receipt
from fieldfare.notifications.rules import view_receipt

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
    view = view_receipt(receipt)
    return Mail(
        message_id=receipt.message_id,
        to=receipt.to,
        to_name=view.to_name,
        subject=view.subject,
        text=_templates.get_template("receipt.txt").render(view=view),
        html=_templates.get_template("receipt.html").render(view=view),
        headers={"Content-Language": receipt.language},
    )
