"""Reasons why an address is unusable are distinguished; one that was just freed is usable."""

import errno
import os
import socket

import pytest

from infrastructure.address import Address
from infrastructure.process.port import AddressRefused, check, reserved


@pytest.mark.parametrize(
    ("address", "number", "reason"),
    [
        ("127.0.0.1:50052", errno.EADDRINUSE, "is in use.*--listen 127.0.0.1:50053"),
        ("127.0.0.1:80", errno.EACCES, "is not allowed: low ports.*--listen 127.0.0.1:50052"),
        ("[::1]:50052", errno.EAFNOSUPPORT, "has no IPv6.*--listen 127.0.0.1:50053"),
        ("[::1]:50052", errno.EADDRNOTAVAIL, "has no IPv6"),
        ("127.0.0.9:50052", errno.EADDRNOTAVAIL, "has no such address"),
        ("127.0.0.1:50052", errno.ENOBUFS, "No buffer space available"),
    ],
)
def test_each_reason_has_its_own_way_out(address: str, number: int, reason: str) -> None:

    refusal = AddressRefused(Address.parse(address), OSError(number, os.strerror(number)))
    with pytest.raises(AddressRefused, match=reason):
        raise refusal


def test_an_address_at_which_someone_listens_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(AddressRefused, match="is in use"):
            check(address)
        with pytest.raises(AddressRefused, match="is in use"), reserved(address):
            pytest.fail("the address was given away")


def test_a_reserved_port_is_kept_from_other_programs_and_open_to_workers() -> None:
    with reserved("127.0.0.1:0") as address:
        with pytest.raises(AddressRefused, match="is in use"):
            check(address)
        with socket.socket() as worker:
            worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            worker.bind(("127.0.0.1", Address.parse(address).port))


def test_an_address_whose_connections_still_linger_can_be_had_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        with socket.create_connection((host, port)) as client:
            accepted, _ = server.accept()
            accepted.close()  # The side that closes first lingers, here for a minute.
            client.recv(1)
    check(f"{host}:{port}")
    with reserved(f"{host}:{port}") as address:
        assert address == f"{host}:{port}"
