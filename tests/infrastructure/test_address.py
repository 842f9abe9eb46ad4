"""host:port is read in one place: what is accepted, and what is refused with an example."""

import pytest

from infrastructure.address import Address, NoAddress


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:0", "127.0.0.1", 0, True),
        ("localhost:50052", "localhost", 50052, True),
        ("[::1]:65535", "::1", 65535, True),
        ("192.0.2.1:80", "192.0.2.1", 80, False),
        ("db.example:80", "db.example", 80, False),
    ],
)
def test_an_address_is_read_and_written_alike(
    text: str, host: str, port: int, loopback: bool
) -> None:
    address = Address.parse(text)
    assert (address.host, address.port, address.is_loopback) == (host, port, loopback)
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "50052", ":1", "::1", "::1:1", "[]:1", "[/]:1", "a b:1", "h:", "h:65536", "h:²"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(NoAddress, match=r"is no host:port such as 127\.0\.0\.1:50052"):
        Address.parse(text)
