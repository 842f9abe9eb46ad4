"""The service that a client talks to: its contract, and an address at which it listens."""

from infrastructure.address import DEFAULT_ADDRESS, Address, NoAddress

DEFAULT_TARGET = DEFAULT_ADDRESS


def target_of(text: str) -> str:
    """The target, unchanged, if it is a socket, or has a port other than 0. Raises NoAddress."""
    address = Address.parse(text)
    if address.port == 0 and not address.path:
        raise NoAddress(text)
    return text


def is_loopback(target: str) -> bool:
    """Whether a target is on this machine."""
    try:
        return Address.parse(target).is_loopback
    except NoAddress:
        return False
