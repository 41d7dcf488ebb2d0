"""Writes the answers in `docs/api` anew: each request there is sent, and its answer put under it.

`python -m tests.tidy.write_examples`, after a change of the wire. `tests/api/test_doc_examples.py`
sends them too and finds an answer that is not shown as it is.
"""

import json
import tempfile
from pathlib import Path

from fieldfare.db.migrate import migrate
from tests.support.databases import name_in, new_database
from tests.support.documented import Documented, documented_shop
from tests.support.examples import PAGES, Example, list_examples, shorten
from tests.support.throwaway import throwaway_server


def main() -> None:
    """Ask a shop of our own, page by page."""
    with (
        tempfile.TemporaryDirectory() as folder,
        throwaway_server(Path(folder)) as server_url,
        new_database(server_url, name="template") as url,
    ):
        migrate(url)
        with documented_shop(server_url, name_in(url)) as shop:
            for page in PAGES:
                _write_page(page, shop)


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
