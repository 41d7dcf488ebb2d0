"""Why a mail was not sent on this try. What the mail server says is in `integrations.mail`."""


class MailUnderway(Exception):
    """Another worker is sending this mail, or died while it did; try again in a minute."""
