"""Values outside the bounds of the contract, by what is wrong with them."""

from typing import Any

from workflows_testing.requests import ABSENT

LONG = "x" * 256
LONGEST = "x" * 255
HUGE = "x" * 1_000_000
LEAST, MOST = -(2**31), 2**31 - 1

BAD_PAYLOADS = {
    "empty": "",
    "no JSON": "not json",
    "a second value": '{"url": "https://example.com"} {}',
    "an array": '["https://example.com"]',
    "a string": '"https://example.com"',
    "null": "null",
    "NaN": '{"url": "https://example.com", "timeout": NaN}',
    "Infinity": '{"url": "https://example.com", "timeout": Infinity}',
    "an infinite number": '{"url": "https://example.com", "timeout": 1e999}',
    "an integer of 5000 digits": '{"url": "https://example.com", "x": ' + "7" * 5000 + "}",
    "a raw NUL": '{"url": "https://example.com\x00"}',
    "an outer NUL": '{"url": "https://example.com"}\x00',
    "a raw newline in a string": '{"url": "https://example.com", "x": "\n"}',
    "half a surrogate pair": '{"url": "https://example.com", "x": "\\ud800"}',
    "a byte order mark": '\ufeff{"url": "https://example.com"}',
    "a nesting of 65": '{"url": "https://example.com", "x": ' + "[" * 64 + "]" * 64 + "}",
    "a nesting of 500000": '{"url": ' + "[" * 500_000,
    "more than 1 MiB": '{"url": "https://example.com", "x": "' + "x" * 2**20 + '"}',
    "more than 1 MiB of wide characters": '{"url": "https://e.com", "x": "' + "ä" * 2**19 + '"}',
    "no url": "{}",
    "a relative url": '{"url": "/hook"}',
    "a url of another scheme": '{"url": "ftp://example.com"}',
    "a url without host": '{"url": "https://"}',
    "a url that is no string": '{"url": 5}',
    "a negative timeout": '{"url": "https://example.com", "timeout": -1}',
    "a timeout of 0": '{"url": "https://example.com", "timeout": 0}',
    "a timeout that is no number": '{"url": "https://example.com", "timeout": "5"}',
}
BAD_FIELDS: dict[str, dict[str, Any]] = {
    "an empty user": {"user_id": ""},
    "a long user": {"user_id": LONG},
    "a user with a control character": {"user_id": "al\x00ice"},
    "an empty name": {"name": ""},
    "a long name": {"name": LONG},
    "a name with a line break": {"name": "night\nly"},
    "a name with a C1 control character": {"name": "night\x85ly"},
    "an empty kind": {"kind": ""},
    "an unknown kind": {"kind": "HTTP"},
    "an interval of 0": {"interval": 0},
    "the least interval": {"interval": LEAST},
    "the greatest interval": {"interval": MOST},
    "an interval of more than a year": {"interval": 525_601},
    "a maximum of 0": {"max_consecutive_job_failures_allowed": 0},
    "the least maximum": {"max_consecutive_job_failures_allowed": LEAST},
    "the greatest maximum": {"max_consecutive_job_failures_allowed": MOST},
    "a maximum of 101": {"max_consecutive_job_failures_allowed": 101},
    "a long key": {"idempotency_key": LONG},
    "a key with a control character": {"idempotency_key": "k\x7f"},
}
BAD_IDS = {
    "empty": "",
    "a number": "7",
    "short": ABSENT[:-1],
    "long": ABSENT + "0",
    "without hyphens": ABSENT.replace("-", ""),
    "in braces": "{" + ABSENT + "}",
    "with a line break": ABSENT + "\n",
    "with other digits": ABSENT.replace("0", "\u0660"),
    "huge": HUGE,
}
BAD_FILTERS: list[tuple[str, Any]] = [
    *[("kind", bad) for bad in ("htt", "http ", HUGE)],
    *[("build_status", bad) for bad in ("done", "Pending", HUGE)],
    *[("query", bad) for bad in (LONG, "night\tly", HUGE)],
    *[("interval_min", bad) for bad in (-1, LEAST, MOST, 525_601)],
    *[("interval_max", bad) for bad in (-1, LEAST, MOST, 525_601)],
]
BAD_CURSORS = {
    "nonsense": "nonsense",
    "no ASCII": "é",
    "long": LONG,
    "huge": HUGE,
    "padded": "====",
}
