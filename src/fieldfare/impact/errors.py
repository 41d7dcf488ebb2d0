"""What impact refuses: certificates, and an operator's curating of the public feed."""

from fieldfare.kernel.errors import InvalidRequest, NotFound


class OrderNotHidden(InvalidRequest):
    """The order is in the feed, or would be if it were new enough."""

    code = "order_not_hidden"


class ReasonRefused(InvalidRequest):
    """A decision is kept with its reason."""

    code = "invalid_reason"


class CertificateNotFound(NotFound):
    """404: no such certificate, or another account's, or of an order that is not paid."""

    code = "certificate_not_found"


class CertificateNumberRefused(InvalidRequest):
    """400: what was typed can be no number of a certificate."""

    code = "invalid_certificate_number"


class SignedCertificateRefused(InvalidRequest):
    """400: nothing was sent that could be verified."""

    code = "invalid_certificate"


class CertificateKeyRefused(InvalidRequest):
    """What an operator gives is no key, or not one that certificates can be signed with."""

    code = "invalid_certificate_key"
