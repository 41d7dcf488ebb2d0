"""The one way in which a benchmark ends without a figure."""


class BenchmarkRefused(RuntimeError):
    """No figure can be given; the message is for people and names what is wrong."""
