"""How a limit is split over processes by what each of them needs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldfare.kernel.buckets import Bucket, Limit
from fieldfare.kernel.shares import RESERVE, Claim, Heard, make_claim, settle, share_out

bounded = settings(max_examples=60, deadline=None)
LIMIT = Limit(per_second=100, burst=400)
NEEDS = st.lists(st.floats(0, 100), min_size=1, max_size=12)


@given(wants=NEEDS, data=st.data())
@bounded
def test_the_parts_add_up_and_nobody_gets_nothing(wants: list[float], data: st.DataObject) -> None:
    owed = [data.draw(st.floats(0, 400)) for _ in wants]
    parts = share_out(wants, owed, 100)
    assert sum(parts) == pytest.approx(100)
    assert min(parts) >= RESERVE * 100 / len(wants) - 1e-9


@pytest.mark.parametrize(
    ("wants", "parts"),
    [
        ([100, 0, 0, 0], [98.5, 0.5, 0.5, 0.5]),
        ([100, 100, 100, 100], [25, 25, 25, 25]),
        ([100, 100, 20, 10], [35, 35, 20, 10]),
        ([0, 0], [50, 50]),
        ([40, 10], [65, 35]),
        ([7], [100]),
    ],
)
def test_who_wants_little_gets_it_and_the_others_as_much_as_each_other(
    wants: list[float], parts: list[float]
) -> None:
    assert share_out(wants, [0.0] * len(wants), 100) == pytest.approx(parts)


def test_what_nobody_wants_goes_to_where_tokens_are_owed() -> None:
    assert share_out([0, 10, 0, 0], [300, 100, 0, 0], 100) == pytest.approx(
        [0.5 + 89 * 0.75 - 0.375, 10 + 89 * 0.25 - 0.125, 0.5, 0.5]
    )


def test_a_claim_says_what_was_asked_and_let_in() -> None:
    bucket = Bucket(LIMIT, 0.0)
    for _ in range(40):
        bucket.take(0.0)
    claim = make_claim(7, bucket, LIMIT, 0.1, last=None, span_s=1.0)
    assert (claim.key, claim.wants, claim.uses) == (7, 50, 40)
    assert claim.owed == pytest.approx(30)
    # Nothing since: it wants less, but not nothing at once.
    later = make_claim(7, bucket, LIMIT, 0.6, last=claim, span_s=0.5)
    assert (later.wants, later.uses, later.owed) == (37.5, 20, 0)
    assert not claim.is_calm(LIMIT, 2)
    assert make_claim(7, bucket, LIMIT, 9.0, last=None, span_s=1.0).is_calm(LIMIT, 2)


def test_who_had_to_refuse_wants_more_and_never_more_than_there_is() -> None:
    bucket = Bucket(LIMIT, 0.0)
    bucket.hold_part(0.1, others=390.0, unused=0.0)
    for _ in range(20):
        bucket.take(0.0)
    assert bucket.refused == 19
    assert make_claim(7, bucket, LIMIT, 0.0, last=None, span_s=1.0).wants == 40
    for _ in range(200):
        bucket.take(0.0)
    assert make_claim(7, bucket, LIMIT, 0.0, last=None, span_s=1.0).wants == 100


def heard(owed: float, wants: float, uses: float, age_s: float = 0.5) -> Heard:
    return Heard(age_s=age_s, claim=Claim(key=7, owed=owed, wants=wants, uses=uses))


def test_what_others_gave_is_gone_and_what_they_do_not_use_comes_back_to_us() -> None:
    bucket = Bucket(LIMIT, 0.0)
    for _ in range(100):
        bucket.take(0.0)
    settle(bucket, LIMIT, [heard(0, 20, 10), heard(60, 20, 10)], wants=100, silent=1)
    # Parts: 59.5, 20, 20, 0.5; the second has given 10 a second back since it was heard.
    assert bucket.others == pytest.approx(55)
    assert bucket.level == pytest.approx(0.595 * (400 - 100 - 55))
    bucket.pass_time(1.0)
    # The first leaves 10 a second, the silent one all it has; we owe 100 of 160.
    assert bucket.owed == pytest.approx(100 - 59.5 - 10.5 * 100 / 160)


def test_silent_ones_may_be_reckoned_to_want_as_much() -> None:
    bucket = Bucket(LIMIT, 0.0)
    settle(bucket, LIMIT, [], wants=100, silent=3, silent_wants=100)
    assert bucket.level == pytest.approx(100)
    settle(bucket, LIMIT, [], wants=100, silent=3)
    assert bucket.level == pytest.approx(394)
