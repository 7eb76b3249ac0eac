"""The address guard: nothing but public unicast addresses, however they are spelled."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import AddressRefused
from agents.fetch.addresses import PORTS, check_address, check_url, parse_allow, site_name

PRIVATE_V4 = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
]
PUBLIC_V4 = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "151.101.1.140", "223.255.255.255"]
PRIVATE_V6 = [
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b:1::1",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "fe80::1%eth0",
    "2606:4700::1111%1",
]
PUBLIC_V6 = ["2606:4700:4700::1111", "2a00:1450:4001::1", "2400::1"]


def _embedded(v4: str) -> list[str]:
    """The IPv6 addresses whose packets end up at that IPv4 address."""
    bits = int(IPv4Address(v4))
    return [
        str(IPv6Address((0xFFFF << 32) | bits)),
        str(IPv6Address((0x0064_FF9B << 96) | bits)),
        str(IPv6Address((0x2002 << 112) | (bits << 80) | 1)),
    ]


@pytest.mark.parametrize("address", [*PRIVATE_V4, *PRIVATE_V6, *(v6 for v4 in PRIVATE_V4 for v6 in _embedded(v4))])
def test_refuses_every_address_that_is_not_public(address: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        check_address(address, 443)
    assert address not in caught.value.sentence


@pytest.mark.parametrize("address", [*PUBLIC_V4, *PUBLIC_V6, *(v6 for v4 in PUBLIC_V4 for v6 in _embedded(v4))])
def test_lets_public_addresses_through(address: str) -> None:
    check_address(address, 443)


@given(st.ip_addresses(v=4))
def test_refuses_at_least_what_the_standard_library_calls_not_global(address: IPv4Address) -> None:
    if not address.is_global:
        with pytest.raises(AddressRefused):
            check_address(address, 80)


@given(st.ip_addresses(v=6))
def test_refuses_every_ipv6_address_outside_global_unicast(address: IPv6Address) -> None:
    unwrapped = address.ipv4_mapped or address.sixtofour
    if (
        unwrapped is None
        and (not address.is_global or address.packed[0] >> 5 != 1)
        and address.packed[:2] != b"\0\x64"
    ):
        with pytest.raises(AddressRefused):
            check_address(address, 80)


@pytest.mark.parametrize("port", sorted(PORTS))
def test_allows_the_web_ports(port: int) -> None:
    check_address("8.8.8.8", port)


@pytest.mark.parametrize("port", [0, 22, 25, 6379, 8000, 65535])
def test_refuses_other_ports_of_public_addresses(port: int) -> None:
    with pytest.raises(AddressRefused, match="port"):
        check_address("8.8.8.8", port)


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "127.1", "::g", "8.8.8.8 "])
def test_refuses_what_is_no_address(text: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(text, 80)


class TestAllow:
    def test_exempts_exact_pairs_and_nothing_else(self) -> None:
        allow = parse_allow("127.0.0.1:9000, [::1]:8080")
        check_address("127.0.0.1", 9000, allow)
        check_address("::1", 8080, allow)
        for address, port in [("127.0.0.1", 80), ("127.0.0.2", 9000), ("::1", 9000), ("::ffff:127.0.0.1", 9000)]:
            with pytest.raises(AddressRefused):
                check_address(address, port, allow)

    def test_does_not_open_its_port_on_public_addresses(self) -> None:
        with pytest.raises(AddressRefused, match="port"):
            check_address("8.8.8.8", 9000, parse_allow("127.0.0.1:9000"))

    def test_is_empty_by_default(self) -> None:
        assert parse_allow("") == frozenset()
        assert parse_allow(" , ") == frozenset()

    @pytest.mark.parametrize(
        "text",
        [
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "127.0.0.1:+80",
            "localhost:80",
            "127.1:80",
            "10.0.0.0/8:80",
            "::1:8080",
            "[127.0.0.1]:80",
            "*:80",
            "http://127.0.0.1:80",
        ],
    )
    def test_says_in_words_what_is_no_pair(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not an ip:port pair such as"):
            parse_allow(text)


def _octets(address: IPv4Address) -> tuple[int, int, int, int]:
    first, second, third, fourth = address.packed
    return first, second, third, fourth


def _number(value: int, base: str) -> str:
    return {"d": f"{value}", "o": f"0{value:o}", "x": f"0x{value:x}", "X": f"0X{value:08X}"}[base]


FULLWIDTH = str.maketrans("0123456789.", "０１２３４５６７８９．")
private_v4 = st.one_of(
    st.sampled_from([IPv4Address(each) for each in PRIVATE_V4]),
    st.ip_addresses(v=4, network="10.0.0.0/8"),
    st.ip_addresses(v=4, network="127.0.0.0/8"),
    st.ip_addresses(v=4, network="192.168.0.0/16"),
    st.ip_addresses(v=4, network="172.16.0.0/12"),
    st.ip_addresses(v=4, network="100.64.0.0/10"),
    st.ip_addresses(v=4, network="169.254.0.0/16"),
)


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """A private IPv4 address in any way that some resolver would understand."""
    address = draw(private_v4)
    a, b, c, d = _octets(address)
    value = int(address)
    parts = draw(st.sampled_from([[a, b, c, d], [a, b, c << 8 | d], [a, value & 0xFFFFFF], [value]]))
    legacy = ".".join(_number(part, draw(st.sampled_from("doxX"))) for part in parts)
    host = draw(st.sampled_from([str(address), legacy, *(f"[{v6}]" for v6 in _embedded(str(address)))]))
    if not host.startswith("["):
        host += draw(st.sampled_from(["", "."]))
        host = draw(st.sampled_from([host, host.translate(FULLWIDTH), host.replace(".", "。")]))
    return host


@given(
    host=spellings(), port=st.sampled_from(["", ":80", ":8080"]), scheme=st.sampled_from(["http", "https", "HTTP"])
)
def test_refuses_private_addresses_in_every_spelling(host: str, port: str, scheme: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        check_url(f"{scheme}://{host}{port}/feed.xml")
    assert not any(character.isdigit() for character in caught.value.sentence)


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1]/",
        "http://[::1%25lo]/",
        "http://[fe80::1%eth0]/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127.0.0.1%00.example.com/",
        "http://%31%32%37.0.0.1/",
        "http://news.example\\@127.0.0.1/",
        "http://1.2.3.4.5/",
        "http://0x/",
        "http://010.8.8.8/",
    ],
)
def test_refuses_odd_literals(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://news.example/", "http"),
        ("file:///etc/passwd", "http"),
        ("gopher://news.example/", "http"),
        ("javascript:alert(1)", "http"),
        ("news.example/feed", "http"),
        ("//news.example/feed", "http"),
        ("", "http"),
        ("/etc/passwd", "http"),
        ("http://user@news.example/", "user name"),
        ("http://user:secret@news.example/", "user name"),
        ("http://news.example:22/", "port"),
        ("http://news.example:0/", "port"),
        ("http://news.example:99999/", "web address"),
        ("http://", "web address"),
        ("http:///feed", "web address"),
        ("http://[::1", "web address"),
        ("http://exa mple/", "web address"),
        ("http://\ud800.com/", "web address"),
        ("http://a..b/", "web address"),
        ("http://news.example/" + "a" * 9_000, "web address"),
    ],
)
def test_refuses_in_words_what_cannot_be_asked(url: str, words: str) -> None:
    with pytest.raises(AddressRefused, match=words) as caught:
        check_url(url)
    assert "secret" not in caught.value.sentence


@given(st.text(max_size=60))
def test_never_raises_anything_raw(text: str) -> None:
    for candidate in (text, f"http://{text}", f"http://news.example/{text}", f"http://news.example/?q={text}"):
        try:
            url = check_url(candidate, params={"q": text})
        except AddressRefused:
            continue
        assert url.scheme in {"http", "https"}
        assert url.port in PORTS
        host = url.raw_host
        assert host
        if ":" in host or host.replace(".", "").isdigit():
            check_address(ip_address(host), url.port)


def test_adds_parameters_to_the_query() -> None:
    url = check_url("https://news.example/search?a=1", params={"q": "rust & go", "after": "t3_x"})
    assert dict(url.query) == {"a": "1", "q": "rust & go", "after": "t3_x"}


def test_a_name_may_have_an_exempt_pairs_port() -> None:
    assert check_url("http://feeds.internal:9000/", parse_allow("10.0.0.5:9000")).port == 9000


def test_names_a_site_only_by_a_host_name() -> None:
    assert site_name("https://news.example:8443/feed?token=secret") == "news.example"
    assert site_name("https://bücher.example/") == "xn--bcher-kva.example"
    for literal in (
        "http://127.0.0.1:8080/x",
        "http://[::1]/",
        "http://2130706433/",
        "http://127.0.0.1./",
        "//",
        "http://[",
    ):
        assert site_name(literal) == "The site"
