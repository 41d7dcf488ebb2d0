"""A mail server that delivers to nobody: it takes every mail over real SMTP and shows it.

For the demo, where a person reads what was sent, and for tests, which make it refuse, delay, or
hang up. Over HTTP: `GET /` lists all mails as JSON, newest first, `/inbox` shows them to a person,
`POST /_control` sets a fault. What must hold: a mail that was answered with 250 is kept, also over
a restart, and nobody but this machine reaches either port.
"""
