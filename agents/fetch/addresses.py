"""The address guard: which addresses may be asked, checked before resolving, after it, and when connecting.

Written out instead of asking ``ipaddress.is_global``, whose answer differs between Python versions and is wrong
for several of the nets below. The registries: IANA's IPv4 and IPv6 special-purpose address registries (RFC 6890).
"""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from yarl import URL

from agents.errors import AddressRefused

IpAddress = IPv4Address | IPv6Address
Allowed = frozenset[tuple[IpAddress, int]]
"""Exact pairs of address and port that are exempt from the guard."""

PORTS = frozenset({80, 443, 8080, 8443})
"""Ports that may be asked; an exempt pair's port is its own."""

_MAX_URL_CHARACTERS = 8_000

_REFUSED_V4 = tuple(
    IPv4Network(net)
    for net in (
        "0.0.0.0/8",  # this network; Linux connects 0.0.0.0 to itself
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT, and some clouds' metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host, a public address that is not
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, and Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

# Of IPv6 only 2000::/3 is global unicast, which leaves out loopback, unspecified, ::/96 (IPv4-compatible),
# 64:ff9b:1::/48 (NAT64 for local use), fc00::/7 (private, with fd00:ec2::254), fe80::/10, fec0::/10 and ff00::/8.
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(net)
    for net in (
        "2001::/23",  # protocol assignments, and Teredo, whose IPv4 address is hidden in it
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

_NOT_PUBLIC = "That address does not lead to a public place on the internet, so it was not asked."
_NOT_AN_ADDRESS = "That is not a web address that can be asked."


def parse_allow(text: str) -> Allowed:
    """``FETCH_ALLOW``: pairs such as ``127.0.0.1:8080, [::1]:8080``; ``ValueError`` in words for anything else."""
    return frozenset(_pair(part) for part in text.replace(",", " ").split())


def _pair(text: str) -> tuple[IpAddress, int]:
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    problem = f"“{text[:60]}” is not an ip:port pair such as 127.0.0.1:8080 or [::1]:8080"
    try:
        address = ip_address(host[1:-1] if bracketed else host)
    except ValueError as error:
        raise ValueError(problem) from error
    if bracketed != (address.version == 6) or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ValueError(problem)
    return address, int(port)


def check_address(ip: str | IpAddress, port: int, allow: Allowed = frozenset()) -> None:
    """Raise ``AddressRefused`` unless it is global unicast on one of ``PORTS``, or exactly a pair of ``allow``.

    IPv4 addresses inside mapped, 6to4 and NAT64 ones are unwrapped and judged themselves.
    """
    try:
        address = ip_address(ip)
    except ValueError as error:
        raise AddressRefused(_NOT_AN_ADDRESS) from error
    if (address, port) in allow:
        return
    _check_port(port, PORTS)
    if not _is_public(address):
        raise AddressRefused(_NOT_PUBLIC)


def _is_public(address: IpAddress) -> bool:
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        inner = _inner(address)
        if inner is None:
            return address in _GLOBAL_V6 and not any(address in net for net in _REFUSED_V6)
        address = inner
    return not any(address in net for net in _REFUSED_V4)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this one end up at."""
    if address in _MAPPED or address in _NAT64:
        return IPv4Address(address.packed[12:])
    if address in _6TO4:
        return IPv4Address(address.packed[2:6])
    return None


def _check_port(port: int, ports: frozenset[int]) -> None:
    if port not in ports:
        known = ", ".join(str(each) for each in sorted(PORTS))
        raise AddressRefused(f"That address has a port that may not be asked; allowed are {known}.")


def check_url(text: str, allow: Allowed = frozenset(), params: Mapping[str, str] | None = None) -> URL:
    """The address as the connector will understand it, with ``params`` added to its query.

    ``AddressRefused`` before anything is resolved or connected: for what is no http or https address, for a user
    name or password in it, for a forbidden port, and for literal addresses that are not public. An IPv4 address
    spelled any other way than as four plain decimal numbers is refused whatever it means.
    """
    try:
        url = URL(text.strip())
        url = url.extend_query(params) if params else url
        port = url.port
    except ValueError as error:
        raise AddressRefused(_NOT_AN_ADDRESS) from error
    if url.scheme not in {"http", "https"}:
        raise AddressRefused("Only addresses that begin with http:// or https:// can be asked.")
    if url.user is not None or url.password is not None:
        raise AddressRefused("An address with a user name or a password in it cannot be asked.")
    if not url.raw_host or port is None or len(str(url)) > _MAX_URL_CHARACTERS:
        raise AddressRefused(_NOT_AN_ADDRESS)
    literal = _literal(url.raw_host)
    if literal is not None:
        check_address(literal, port, allow)
    else:
        # Which address a name stands for is not known yet; the connector checks the exact pair.
        _check_port(port, PORTS | {exempt for _, exempt in allow})
    return url


def _literal(host: str) -> IpAddress | None:
    """The address that ``host`` spells, None for a name; ``AddressRefused`` for spellings that only look like one."""
    if ":" in host:
        spelled = host
    elif not _NAME.fullmatch(host):
        raise AddressRefused(_NOT_AN_ADDRESS)
    elif _ends_in_number(host):
        spelled = host
    else:
        return None
    try:
        return ip_address(spelled)
    except ValueError as error:
        raise AddressRefused(_NOT_PUBLIC) from error


def _ends_in_number(host: str) -> bool:
    """Whether resolvers may take it for an IPv4 address in some spelling (WHATWG URL, the check of that name)."""
    return _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) is not None


def site_name(url: URL | str) -> str:
    """How sentences call the place: its host name, in ASCII; never a literal address, a port, path or query."""
    try:
        host = URL(url).raw_host if isinstance(url, str) else url.raw_host
    except ValueError:
        host = None
    if host is None or not _NAME.fullmatch(host) or _ends_in_number(host):
        return "The site"
    return host[:100]
