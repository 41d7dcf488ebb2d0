"""Writes the answers in `docs/api` anew: each request there is sent, and its answer put under it.

`python -m tests.tidy.write_examples`, after a change of the wire. `tests/api/test_doc_examples.py`
sends them too and finds an answer that is not shown as it is.
"""

import json
import tempfile
from pathlib import Path
from uuid import uuid4

from fieldfare.db import embedded
from fieldfare.db.migrate import migrate
from tests.conftest import FAST_AND_FORGETFUL, run_on_server, url_of
from tests.support.documented import Documented, documented_shop
from tests.support.examples import PAGES, Example, list_examples, shorten


def main() -> None:
    """Ask a shop of our own, page by page."""
    with tempfile.TemporaryDirectory() as folder:
        server = embedded.start(
            Path(folder) / "postgres", embedded.free_port(), options=FAST_AND_FORGETFUL
        )
        try:
            template = f"template_{uuid4().hex[:12]}"
            run_on_server(server.url, f"create database {template}")
            migrate(url_of(server.url, template))
            with documented_shop(server.url, template) as shop:
                for page in PAGES:
                    _write_page(page, shop)
        finally:
            embedded.stop(server)


def _write_page(page: Path, shop: Documented) -> None:
    text = page.read_text(encoding="utf-8")
    for example in list_examples(page):
        before, command, after = text.partition(example.command)
        head, _, tail = after.partition("```json\n")
        _, fence, rest = tail.partition("```")
        text = before + command + head + "```json\n" + _answer(example, shop) + fence + rest
    page.write_text(text, encoding="utf-8")


def _answer(example: Example, shop: Documented) -> str:
    answer = example.request(shop.live).send()
    return json.dumps(shorten(answer.json()), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
