"""What can be refused about accounts, identities and tokens; each message names the next step."""

from fieldfare.kernel.errors import AccessRefused, InvalidRequest, NotFound


class AccountRefused(InvalidRequest):
    """400: a field of an account, an identity or a token cannot be kept; `param` names it."""

    code = "invalid_account"


class RefillNotSet(NotFound):
    """404: the account has no refill, so there is none to switch off."""

    code = "refill_not_set"


class AccountNotFound(NotFound):
    """404: no account has this number, or it was erased."""

    code = "account_not_found"


class WrongAccountKind(InvalidRequest):
    """400: a team was named where a user belongs, or a user where a team belongs."""

    code = "wrong_account_kind"


class AlreadyMember(InvalidRequest):
    """400: the user is in the team already."""

    code = "already_member"


class IdentityTaken(InvalidRequest):
    """400: the e-mail, or the provider's id, belongs to an identity already."""

    code = "identity_taken"


class PasswordNotFound(NotFound):
    """404: nobody signs in with this address and a password."""

    code = "password_not_found"


class PasswordTooWeak(InvalidRequest):
    """400: the password is too short, too long, or told by the e-mail."""

    code = "password_too_weak"


class SignInRefused(AccessRefused):
    """403: e-mail and password do not go together; never tells which of them is wrong."""

    code = "sign_in_refused"


class OperatorRefused(AccessRefused):
    """403: who asks is no operator, or not one of a role that may do this."""

    code = "operator_refused"


class OwnerNeeded(InvalidRequest):
    """400: a team would be left without an owner."""

    code = "owner_needed"


class TokenNotFound(NotFound):
    """404: no token has this id."""

    code = "token_not_found"


class TokenNotUsable(InvalidRequest):
    """400: the token was revoked, has expired or was rotated before, so it cannot be rotated."""

    code = "token_not_usable"
