"""The one way in which the embedded server refuses."""


class EmbeddedRefused(RuntimeError):
    """The server cannot be started; the message is for people and names the next step."""
