"""Operators: the users who may run the catalogue and the books."""

from collections.abc import Collection

from fieldfare.accounts import store
from fieldfare.accounts.errors import OperatorRefused
from fieldfare.accounts.model import OperatorRole
from fieldfare.db.pool import Connection


async def check_operator(
    conn: Connection, user_id: int, roles: Collection[OperatorRole]
) -> OperatorRole:
    """The role of a user who has proved who they are; raises `OperatorRefused` for any other."""
    role = await store.find_operator_role(conn, user_id)
    if role is None or role not in roles:
        held = "no operator" if role is None else f"an operator as {role}"
        raise OperatorRefused(
            f"User {user_id} is {held}; this takes the role {' or '.join(roles)}. An "
            f"administrator gives it: `fieldfare account make-operator --user {user_id} --role …`."
        )
    return role
