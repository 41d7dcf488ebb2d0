"""Requests at random, which Schemathesis makes of the description: `running`, with `hooks`."""
