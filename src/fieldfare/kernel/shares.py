"""How processes that each let requests in hold one limit together, without asking for each request.

Once a second each process says of the few accounts that are near their limit what it has given and
what it could use (`Claim`), and hears the same of the others. From that each reckons for itself how
much of the whole bucket is left and which part of it is its own. What must hold: the parts of all
processes add up to the whole; whatever was given is owed by one process until it has come back, so
that what was given too much before it was heard of is missing afterwards; an account that uses one
process only has all but a fiftieth of the limit there.
"""

from collections.abc import Sequence

import msgspec

from fieldfare.kernel.buckets import Bucket, Limit

HEADROOM = 1.25
"""Who refused nobody may be asked for so much more before it is heard again."""
SHORTAGE = 2.0
"""Who had to refuse some is asked less than it would be: some wait before they come again."""
RESERVE = 0.02
"""This part of the limit is kept for processes that have not been asked, all together."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What one process says of one account's bucket."""

    key: int
    owed: float
    """Tokens that it has given and that have not come back."""
    wants: float
    """Requests a second that it could let in; never more than the limit."""
    uses: float
    """Requests a second that it has let in of late."""

    def is_calm(self, limit: Limit, processes: int) -> bool:
        """Whether an equal part is more than enough, so that nobody need hear of it."""
        wants_little = self.wants <= limit.per_second / (2 * processes)
        return wants_little and self.owed <= limit.burst / (4 * processes)


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """Another process's claim, `age_s` seconds after it was made."""

    age_s: float
    claim: Claim


def make_claim(
    key: int, bucket: Bucket, limit: Limit, now: float, *, last: Claim | None, span_s: float
) -> Claim:
    """What to say of a bucket now, `span_s` seconds, a second at most, after the `last` claim."""
    bucket.pass_time(now)
    asked, let_in = bucket.asked / span_s, (bucket.asked - bucket.refused) / span_s
    wants = asked * (SHORTAGE if bucket.refused else HEADROOM)
    bucket.asked = bucket.refused = 0
    if last is not None:
        # A second has its ups and downs, and a part of one even more.
        wants = max(wants, last.wants * (1 - span_s / 2))
        let_in = last.uses + (let_in - last.uses) * span_s
    return Claim(key=key, owed=bucket.owed, wants=min(wants, limit.per_second), uses=let_in)


def settle(
    bucket: Bucket,
    limit: Limit,
    heard: Sequence[Heard],
    *,
    wants: float,
    silent: int,
    silent_wants: float = 0.0,
) -> None:
    """Take our part of what is left, as we want so much and the others have been heard.

    So many processes are `silent` about this bucket, and are reckoned to want so much each.
    """
    all_want = [wants, *(one.claim.wants for one in heard), *[silent_wants] * silent]
    owed = [bucket.owed, *(one.claim.owed for one in heard)]
    parts = share_out(all_want, owed + [0.0] * silent, limit.per_second)
    their_parts = parts[1 : len(heard) + 1]
    others = sum(map(_owed_by_now, heard, their_parts))
    unused = sum(map(_unused, heard, their_parts)) + sum(parts[len(heard) + 1 :])
    bucket.hold_part(
        parts[0] / limit.per_second,
        others=others,
        unused=unused * bucket.owed / max(1.0, sum(owed)),
    )


def _owed_by_now(one: Heard, part: float) -> float:
    """What a process owes if it went on as it was heard."""
    return max(0.0, one.claim.owed - max(0.0, part - one.claim.uses) * one.age_s)


def _unused(one: Heard, part: float) -> float:
    """Tokens a second of a process's part that it neither gives nor owes: others get them."""
    return max(0.0, part - one.claim.uses - one.claim.owed)


def share_out(wants: Sequence[float], owed: Sequence[float], limit: float) -> list[float]:
    """Split `limit` over who wants how much of it; the parts add up to it.

    Who wants little gets it, and the others as much as each other. What nobody wants goes to where
    tokens are owed, so that they come back; if nowhere, equally. Nobody gets nothing: it may be
    asked for something before it can say so.
    """
    count = len(wants)
    parts = [0.0] * count
    left = float(limit)
    # From the smallest: whatever it leaves of an equal part goes to those who want more.
    for place, index in enumerate(sorted(range(count), key=wants.__getitem__)):
        needed = max(wants[index], RESERVE * limit / count)
        parts[index] = min(needed, left / (count - place))
        left -= parts[index]
    total = sum(owed)
    if total <= 0.0:
        return [part + left / count for part in parts]
    return [part + left * some / total for part, some in zip(parts, owed, strict=True)]
