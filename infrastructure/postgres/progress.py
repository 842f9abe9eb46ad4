"""How far the bytes of a TCP connection have come, as the kernel counts them."""

import socket
import sys
from struct import Struct

# struct tcp_info of Linux: bytes that the peer acknowledged, and bytes that arrived.
_MOVED = Struct("=QQ")
_MOVED_AT = 120


def bytes_moved(descriptor: int) -> int | None:
    """Bytes sent and acknowledged, plus bytes received; None if it is no TCP, or not known here."""
    if sys.platform != "linux":
        return None
    try:
        with socket.socket(fileno=socket.dup(descriptor)) as line:
            if line.family == socket.AF_UNIX:
                return None
            size = _MOVED_AT + _MOVED.size
            counted = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)
    except OSError:
        return None
    return sum(_MOVED.unpack_from(counted, _MOVED_AT)) if len(counted) >= size else None
