"""Test mode: the desk that a `wren_test_` token is handed to.

Everything before the desk is shared with live mode, so the same requests get the same 400s. The
desk itself answers from the preset catalogue and a balance that is new on every request: it has no
database, writes nothing, and shows nothing of the account behind the token.
"""
