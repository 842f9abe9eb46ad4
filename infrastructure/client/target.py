"""The service that a client talks to: its contract, and an address at which it listens."""

from infrastructure.address import DEFAULT_ADDRESS, Address, NoAddress

DEFAULT_TARGET = DEFAULT_ADDRESS


def target_of(text: str) -> str:
    """The target, unchanged, if it is host:port with a port other than 0. Raises NoAddress."""
    if Address.parse(text).port == 0:
        raise NoAddress(text)
    return text


def is_loopback(target: str) -> bool:
    """Whether a target is on this machine."""
    try:
        return Address.parse(target).is_loopback
    except NoAddress:
        return False
