"""What the database layer raises that a person is told of; nothing here loads a driver."""


class MigrationRefused(RuntimeError):
    """The schema cannot be brought or used as it is; the message is one line with the next step."""


class BackupRefused(RuntimeError):
    """A backup is not made, or not restored; the message is for people, with the next step."""
