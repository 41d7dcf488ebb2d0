"""Writes the API's description anew, and nothing else: `python -m tests.description.write`.

After a change of the wire or of `docs/api`. What it writes is what `/api/openapi.json` serves, and
stands in the repository, so that a change of it is seen in review.
"""

import json

from fieldfare.web.reference import DESCRIPTION
from tests.description.document import document


def text() -> str:
    """The description as its file holds it."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DESCRIPTION.write_text(text(), encoding="utf-8")
