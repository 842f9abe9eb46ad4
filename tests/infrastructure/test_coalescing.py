"""Lookups that arrive together become one query, and none sees less than it may."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from infrastructure.readmodel.coalescing import MAX_KEYS, Coalesced


class Source:
    """Answers each key by itself in capitals; a query waits until it is let go."""

    def __init__(self) -> None:
        self.queries: list[list[str]] = []
        self.fault: Exception | None = None
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(self, keys: Collection[str]) -> Mapping[str, str]:
        """A query."""
        self.queries.append(sorted(keys))
        self.asked.set()
        await self.open.wait()
        if self.fault is not None:
            raise self.fault
        return {key: key.upper() for key in keys if key != "missing"}


async def under_way(source: Source, lookups: Coalesced[str], key: str) -> asyncio.Task[str | None]:
    """A lookup whose query has been sent and not been answered."""
    source.open.clear()
    lookup = asyncio.create_task(lookups.get(key))
    await source.asked.wait()
    return lookup


async def test_a_lone_lookup_is_a_query_of_its_own() -> None:
    source = Source()
    assert await Coalesced(source.fetch).get("a") == "A"
    assert source.queries == [["a"]]


async def test_a_key_without_a_value_is_none() -> None:
    assert await Coalesced(Source().fetch).get("missing") is None


async def test_lookups_made_during_a_query_share_the_next_one() -> None:
    source = Source()
    lookups = Coalesced(source.fetch)
    first = await under_way(source, lookups, "a")
    others = [asyncio.create_task(lookups.get(key)) for key in ("b", "c", "b")]
    await asyncio.sleep(0)
    source.open.set()
    assert await asyncio.gather(first, *others) == ["A", "B", "C", "B"]
    assert source.queries == [["a"], ["b", "c"]]


async def test_a_lookup_never_joins_a_query_that_was_sent() -> None:
    source = Source()
    lookups = Coalesced(source.fetch)
    first = await under_way(source, lookups, "a")
    again = asyncio.create_task(lookups.get("a"))
    await asyncio.sleep(0)
    source.open.set()
    await asyncio.gather(first, again)
    assert source.queries == [["a"], ["a"]]


async def test_a_query_asks_for_a_bounded_number_of_keys() -> None:
    source = Source()
    lookups = Coalesced(source.fetch)
    first = await under_way(source, lookups, "a")
    keys = [f"key {n}" for n in range(MAX_KEYS + 1)]
    others = [asyncio.create_task(lookups.get(key)) for key in keys]
    await asyncio.sleep(0)
    source.open.set()
    assert await asyncio.gather(first, *others) == ["A", *(key.upper() for key in keys)]
    assert [len(query) for query in source.queries] == [1, MAX_KEYS, 1]


async def test_a_fault_reaches_all_who_wait_and_nobody_after_them() -> None:
    source = Source()
    lookups = Coalesced(source.fetch)
    source.fault = OSError("lost")
    with pytest.raises(OSError, match="lost"):
        await lookups.get("a")
    source.fault = None
    assert await lookups.get("a") == "A"


async def test_a_caller_that_goes_away_harms_nobody() -> None:
    source = Source()
    lookups = Coalesced(source.fetch)
    first = await under_way(source, lookups, "a")
    leaving, staying = (asyncio.create_task(lookups.get("b")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    source.open.set()
    assert [await first, await staying] == ["A", "B"]
