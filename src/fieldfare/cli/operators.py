"""Who gives a command: an operator's password, which no argument may carry."""

import sys

import typer

from fieldfare.settings import SettingsRefused, read_operator_password


def ask_password(email: str) -> str:
    """The password of an operator: from the environment, asked for unseen, or a pipe's first line.

    Raises `SettingsRefused` if there is none.
    """
    password = read_operator_password()
    if password is None and sys.stdin.isatty():
        password = str(typer.prompt(f"Password of {email}", hide_input=True, err=True))
    if password is None:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise SettingsRefused(
            f"the password of {email} is needed: type it where it is asked for, send it as the "
            "first line of a pipe, or set FIELDFARE_OPERATOR_PASSWORD or "
            "FIELDFARE_OPERATOR_PASSWORD_FILE"
        )
    return password
