"""URIs by RFC 3986, strictly, and such that every reader finds the same host in them."""

import re
from ipaddress import IPv6Address

MAX_PORT = 65_535
MAX_HOST = 253  # characters of a name in the DNS

_ESCAPE = "%[0-9A-Fa-f]{2}"
_SUB_DELIMS = "!$&'()*+,;="
# Possessive (*+): no character is read twice, so that a usual URI takes less than half the time.
_PATH = rf"(?:[\w.~{_SUB_DELIMS}:@/-]++|{_ESCAPE})*+"
_QUERY = rf"(?:[\w.~{_SUB_DELIMS}:@/?-]++|{_ESCAPE})*+"
_URI = re.compile(
    rf"""[A-Za-z][A-Za-z0-9+.-]*+:
        (?://(?:(?P<user>(?:[\w.~{_SUB_DELIMS}:-]++|{_ESCAPE})*+)@)?
             (?P<host>\[[^\]]*+\]|[\w.~%{_SUB_DELIMS}-]*+)
             (?::(?P<port>[0-9]*+))?
             (?=[/?\#]|\Z)
           |(?!//))
        {_PATH}(?:\?{_QUERY})?(?:\#{_QUERY})?\Z""",
    re.VERBOSE | re.ASCII,
)
_NOT_OF_A_URI = re.compile(rf"[^\w.~{_SUB_DELIMS}:@/?#%\][-]", re.ASCII)
_NO_HOST = "has a host of no usual form; a host name in ASCII or an IP address is accepted"
_BEFORE_THE_PATH = re.compile("[^/?#]*//[^/?#]*")
_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
# The last label is no number: some readers take 0x7f.1 or 2130706433 for an address.
_HOST_NAME = re.compile(r"(?:[\w-]{1,63}\.)*(?!0[xX]|[0-9]+\.?\Z)[\w-]{1,63}\.?", re.ASCII)
_AT_BEHIND_THE_HOST = re.compile("[?#][^/=&]*@")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.|\Z)){4}(?<!\.)")
_USER_LIKE_A_HOST = re.compile(r"[^:]*\.[^:]*(?::.*)?|[^:]*:[0-9]*")


def uri(text: str) -> str | None:
    """Checks an absolute URI. Returns what is wrong and what is accepted; None if it is valid.

    Beyond the grammar, a host must be a name of the DNS or an IP address in its usual form, and no
    other part of the text may look like a host to a program that splits the text differently.
    """
    found = _URI.match(text)
    if found is None:
        if bad := _NOT_OF_A_URI.search(text) or _BROKEN_ESCAPE.search(text):
            return _bad_character(text, bad.start())
        return "is no absolute URI; one by RFC 3986 is accepted"
    user, host, port = found.group("user", "host", "port")
    if host is None:
        return None
    if not host and (user is not None or port is not None):
        return "has no host; a host name or an IP address is accepted"
    return _host(host) or _port(port) or _one_host(text, found)


def _bad_character(text: str, place: int) -> str:
    character = text[place]
    at = f"at character {place + 1}"
    if character == "%":
        return f"holds a % {at} without two hexadecimal digits; %25 is accepted"
    shown = repr(character) if character.isprintable() else f"U+{ord(character):04X}"
    held = f"holds {'a space' if character == ' ' else shown} {at}"
    if _BEFORE_THE_PATH.fullmatch(text, 0, place):
        return f"{held}; a host name in ASCII or an IP address is accepted there"
    return f"{held}; {''.join(f'%{byte:02X}' for byte in character.encode())} is accepted there"


def _host(host: str) -> str | None:
    """A name of the DNS, an IP address in its usual form, or nothing, as in file:///path."""
    if host.startswith("["):
        return None if _is_ipv6(host[1:-1]) else _NO_HOST
    if not host or (len(host) <= MAX_HOST and _HOST_NAME.fullmatch(host)):
        return None
    return None if _IPV4.fullmatch(host) else _NO_HOST


def _is_ipv6(text: str) -> bool:
    try:
        return IPv6Address(text).scope_id is None
    except ValueError:
        return False


def _port(port: str | None) -> str | None:
    if not port or (len(port) <= len(str(MAX_PORT)) and 0 < int(port) <= MAX_PORT):
        return None
    return f"has the port {port[:10]}; 1 to {MAX_PORT} is accepted"


def _one_host(text: str, found: re.Match[str]) -> str | None:
    """Checks that no other part of the text could be taken for the host."""
    if "@" not in text:
        return None
    user = found["user"]
    if user is not None and _USER_LIKE_A_HOST.fullmatch(user):
        return "has a user name that looks like a host; a URI without it is accepted"
    after_host = text[found.end("port" if found["port"] is not None else "host") :]
    if _AT_BEHIND_THE_HOST.match(after_host):
        return "has an @ behind its host; a slash after the host is accepted"
    return None
