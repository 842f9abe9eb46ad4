"""What the ports raise if they cannot do what they promise."""


class StoreUnavailable(Exception):
    """The store cannot serve now; nothing was recorded.

    The text is a sentence for callers, without its full stop. `reason` is a word for machines;
    `retry` is true if the same may work soon. `lasting` is true if the whole service is affected
    and an operator must act. `why` is for operators only; clients never see it.
    """

    def __init__(
        self,
        sentence: str = "The database cannot be reached",
        *,
        reason: str = "STORE_UNAVAILABLE",
        retry: bool = True,
        lasting: bool = False,
        why: str = "",
    ) -> None:
        self.reason = reason
        self.retry = retry
        self.lasting = lasting
        self.why = why or sentence
        super().__init__(sentence)


class OutcomeUnknown(Exception):
    """The store was lost while it appended and did not come back in time to be asked.

    The commands may have been recorded. A retry with the same key is safe: the ledger answers it.
    """


class UserBeingErased(Exception):
    """The user of a command is being erased; nothing is recorded for that user meanwhile."""


class AppendRefused(Exception):
    """The store cannot hold the value; the same append would fail again."""


class StoredDataDamaged(Exception):
    """A stored event or row cannot be read as what it claims to be."""


class ContentAltered(StoredDataDamaged):
    """Content or salt of a stored event do not fit the digest in its stored bytes."""


class SearchTooBroad(Exception):
    """The filters match so few of so many workflows that the page cannot be found in time."""


class TimeNotFound(Exception):
    """A time could not be found in the feed soon enough: the events about it must all be read."""
