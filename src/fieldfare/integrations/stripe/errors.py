"""What a caller that needs an answer of the processor is told when there is none."""

from fieldfare.kernel.errors import Unavailable


class ProcessorAway(Unavailable):
    """503: the processor does not answer, or answers with an error; ask again later."""

    code = "processor_unavailable"
    retry_after_s = 5
