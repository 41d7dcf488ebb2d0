"""One thing that a process keeps in memory for as long as the change feed vouches for it.

What must hold: while the feed is stale nothing kept is used, and what was read under an older
revision of the topic is read again. Callers that come during a reading share it, so a burst of
requests costs one; the reading goes on if one of them goes away.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from fieldfare.db.changes import ChangeFeed

T = TypeVar("T")


class Cached(Generic[T]):
    """The present value of one topic, as `load` reads it."""

    def __init__(self, feed: ChangeFeed, topic: str) -> None:
        self._feed = feed
        self._topic = topic
        self._kept: tuple[int | None, T] | None = None
        self._loading: tuple[int | None, asyncio.Task[T]] | None = None

    def kept(self, still_holds: Callable[[T], bool] = lambda _: True) -> T | None:
        """What is kept, if the feed vouches for it and it `still_holds`."""
        revision = self._feed.revision(self._topic)
        if revision is None or self._kept is None:
            return None
        kept_revision, kept = self._kept
        return kept if kept_revision == revision and still_holds(kept) else None

    async def current(
        self,
        load: Callable[[], Coroutine[Any, Any, T]],
        still_holds: Callable[[T], bool] = lambda _: True,
    ) -> T:
        """What is kept, if it `still_holds`, or else what `load` reads; raises what that raises."""
        kept = self.kept(still_holds)
        if kept is not None:
            return kept
        return await asyncio.shield(self._reading(self._feed.revision(self._topic), load))

    def _reading(
        self, revision: int | None, load: Callable[[], Coroutine[Any, Any, T]]
    ) -> asyncio.Task[T]:
        # One begun under an older revision may have missed the change that was told since.
        if self._loading is None or self._loading[0] != revision or self._loading[1].done():
            self._loading = (revision, asyncio.create_task(self._load(revision, load)))
        return self._loading[1]

    async def _load(self, revision: int | None, load: Callable[[], Coroutine[Any, Any, T]]) -> T:
        # The feed was read before the rows are, so they can be newer than it says, never older.
        loaded = await load()
        self._kept = (revision, loaded)
        return loaded
