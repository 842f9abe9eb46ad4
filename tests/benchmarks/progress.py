"""What a run is doing and how long it still takes: one moving line on a terminal, else lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Progress:
    """Shows the progress over several figures, whose durations are estimated beforehand."""

    def __init__(self, console: Console, guesses: dict[str, float]) -> None:
        self._console = console
        self._guesses = guesses
        self._began = monotonic()
        self._spent = 0.0
        self._figure = ""
        self._done: list[str] = []
        self._line: Status | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Shows the line while the block runs."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status("starting") as self._line:
            yield

    def figure(self, name: str) -> None:
        """A figure begins; the one before it is done."""
        if self._figure:
            self._done.append(self._figure)
        self._figure = name
        self._spent = monotonic() - self._began
        self.say("begins")

    def say(self, text: str) -> None:
        """What happens within the figure."""
        place = f"{len(self._done) + 1} of {len(self._guesses)}"
        line = escape(f"{self._figure} ({place}): {text}; {self._remaining()}")
        if self._line is None:
            self._console.print(line, highlight=False, soft_wrap=True)
        else:
            self._line.update(line)

    def _remaining(self) -> str:
        """The remaining estimates, corrected by the error of the estimates so far."""
        guessed = sum(self._guesses[name] for name in self._done)
        rest = sum(guess for name, guess in self._guesses.items() if name not in self._done)
        pace = self._spent / guessed if guessed else 1.0
        since = monotonic() - self._began - self._spent
        left = max(rest * pace - since, 0)
        return f"about {left / 60:.0f} min left" if left >= 90 else f"about {left:.0f} s left"
