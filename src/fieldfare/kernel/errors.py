"""What a client can be told went wrong, as a small tree of exceptions.

    ProblemError                status  the base: a message for people, a stable code for machines
    ├── InvalidRequest          400     the request cannot be carried out as it stands
    ├── AccessRefused           403     who asks may not do this
    ├── NotFound                404     there is nothing here, or nothing of yours
    ├── Conflict                409     the same request is still running
    ├── KeyReused               422     an idempotency key came with another body
    ├── TooManyRequests         429     the caller has to slow down; nothing was done
    └── Unavailable             503     try again later
        ├── AnswerLost          503     … unless somebody above knows what may have been done
        ├── Contended           503     the database preferred a rival, and undid everything
        └── HeldUp              503     a rival held on for too long; nothing was done

A feature adds leaves in its own `errors.py`, each with a fixed `code`. A message always names the
next step. Whatever is not a `ProblemError` is a defect of ours and is logged as one.
"""

from typing import ClassVar


class ProblemError(Exception):
    """Something a client is told about: `status` (HTTP), `code`, `message`, maybe what it is about.

    `param` names the field to blame, `purchase_id` the order or top-up whose outcome is not known.
    """

    status: ClassVar[int] = 400
    code: str = "invalid_request"
    retry_after_s: int | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        purchase_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.purchase_id = purchase_id
        if code is not None:
            self.code = code


class InvalidRequest(ProblemError):
    """400: the request cannot be carried out as it stands."""


class AccessRefused(ProblemError):
    """403: the caller is unknown, or may not do this."""

    status = 403
    code = "forbidden"


class NotFound(ProblemError):
    """404: there is nothing here; one answer for "not there" and for "not yours"."""

    status = 404
    code = "not_found"


class Conflict(ProblemError):
    """409: the same request is still being carried out."""

    status = 409
    code = "conflict"
    retry_after_s = 1


class KeyReused(ProblemError):
    """422: an idempotency key was sent again with another body."""

    status = 422
    code = "idempotency_mismatch"


class TooManyRequests(ProblemError):
    """429: the caller has to slow down; nothing was done, and it may come again after so long."""

    status = 429
    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s: int = retry_after_s


class Unavailable(ProblemError):
    """503: the service cannot answer now; the same request may be sent again."""

    status = 503
    code = "unavailable"
    retry_after_s = 1


class AnswerLost(Unavailable):
    """503: the connection broke before the database's answer came, so it may have been done.

    Who knows what that was tells the client of it instead: to send it again might do it twice.
    """


class Contended(Unavailable):
    """503: the database undid a transaction to break a deadlock, or for the sake of its order."""


class HeldUp(Unavailable):
    """503: somebody held a lock for longer than was to be waited, so nothing was done."""
