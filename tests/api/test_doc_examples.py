"""Every example of `docs/api` is sent as it stands there, live and in test mode."""

from collections.abc import Iterator

import pytest

from tests.support.documented import Documented, documented_shop
from tests.support.examples import PAGES, Example, differences, list_examples, other_values

EXAMPLES = [example for page in PAGES for example in list_examples(page)]


@pytest.fixture(scope="module")
def shop(server_url: str, template: str) -> Iterator[Documented]:
    """One shop for all pages."""
    with documented_shop(server_url, template) as opened:
        yield opened


@pytest.mark.parametrize("kind", ["live", "test"])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.label)
def test_the_answer_is_the_one_that_is_shown(shop: Documented, example: Example, kind: str) -> None:
    request = example.request(shop.live if kind == "live" else shop.test)
    answer = request.send()
    is_refusal = isinstance(example.shown, dict) and "code" in example.shown
    assert (answer.status_code == 200) is not is_refusal, answer.text
    body = answer.json()
    assert differences(example.shown, body) == []
    if isinstance(body, dict) and not is_refusal and "/public" not in request.url:
        is_marked = kind == "test" and ("Authorization" in request.headers or request.user)
        assert body.get("test") is (True if is_marked else None)
    if request.method == "POST":
        assert other_values(example.shown, body) == []


def test_every_page_has_an_example() -> None:
    without = {page.stem for page in PAGES} - {example.page.stem for example in EXAMPLES}
    assert without == {"contract", "description"}


@pytest.mark.parametrize(
    ("shown", "answered"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": "1"}),
        ({"a": {"b": 1}}, {"a": {"c": 1}}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}, {"c": 1}]}),
        ({"a": True}, {"a": 1}),
        ([{"a": 1}], {"a": 1}),
    ],
    ids=str,
)
def test_another_shape_is_seen(shown: object, answered: object) -> None:
    assert differences(shown, answered) != []


@pytest.mark.parametrize(
    ("shown", "answered"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": "The wor…"}, {"a": "Another word"}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}),
        ({"projects": [{"id": 1}]}, {"projects": [{"id": 2}]}),
    ],
    ids=str,
)
def test_another_value_is_seen(shown: object, answered: object) -> None:
    assert other_values(shown, answered) != []
