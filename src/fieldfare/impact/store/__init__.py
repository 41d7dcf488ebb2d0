"""The rows of impact: a module and a `.sql` file for each subject."""

from fieldfare.impact.store.certificates import (
    erase_salts,
    erase_salts_of_order,
    find_edition,
    find_record,
    insert_edition,
    insert_nameless,
)
from fieldfare.impact.store.feed import (
    delete_hidden,
    find_feed,
    list_hidden,
    update_reasons_erased,
    upsert_feed,
    upsert_hidden,
)
from fieldfare.impact.store.keys import insert_key, list_keys, update_key_withdrawn
from fieldfare.impact.store.ranking import find_totals, refresh_ranking

__all__ = [
    "delete_hidden",
    "erase_salts",
    "erase_salts_of_order",
    "find_edition",
    "find_feed",
    "find_record",
    "find_totals",
    "insert_edition",
    "insert_key",
    "insert_nameless",
    "list_hidden",
    "list_keys",
    "refresh_ranking",
    "update_key_withdrawn",
    "update_reasons_erased",
    "upsert_feed",
    "upsert_hidden",
]
