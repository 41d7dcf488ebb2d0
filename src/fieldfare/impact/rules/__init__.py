"""What impact decides: `likening` masses, the public `feed`, `certificates`, and entity `tags`."""

from fieldfare.impact.rules.certificates import (
    ALPHABET,
    DRAWN_CHARACTERS,
    SAMPLE_NUMBER,
    digest_of,
    hash_name,
    number_from,
    projects_of,
    read_number,
    says_what_was_bought,
    show_number,
    state_of,
    state_of_number,
    still_holds,
    verification_at_address,
    verification_of,
)
from fieldfare.impact.rules.feed import feed_entry, feed_id, seconds_left, web_address
from fieldfare.impact.rules.likening import flights_taken, miles_driven, place_of, trees_per_year
from fieldfare.impact.rules.tags import etag_of, has_already

__all__ = [
    "ALPHABET",
    "DRAWN_CHARACTERS",
    "SAMPLE_NUMBER",
    "digest_of",
    "etag_of",
    "feed_entry",
    "feed_id",
    "flights_taken",
    "has_already",
    "hash_name",
    "miles_driven",
    "number_from",
    "place_of",
    "projects_of",
    "read_number",
    "says_what_was_bought",
    "seconds_left",
    "show_number",
    "state_of",
    "state_of_number",
    "still_holds",
    "trees_per_year",
    "verification_at_address",
    "verification_of",
    "web_address",
]
