"""URIs by RFC 3986, and one host for every reader."""

import pytest

from domain.uris import uri


@pytest.mark.parametrize(
    "text",
    [
        "http://h",
        "https://example.com/a/b?c=d&e=%20/?#f/?",
        "HTTPS://EXAMPLE.COM.",
        "http://localhost:1",
        "http://10.0.0.1:65535/",
        "http://[::1]:8080/",
        "http://h:/",
        "http://user:secret@example.com/@x?y=z@w#@v",
        "http://h?x=a@b",
        "http://xn--bcher-kva.example/%C3%BC",
        "http://a_b-c.example/;a=(b),c*!$'+~",
        "file:///etc/hosts",
        "mailto:alice@example.com",
        "urn:isbn:0451450523",
    ],
)
def test_a_uri_is_accepted(text: str) -> None:
    assert uri(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h",
        "/path",
        "//h/path",
        "1http://h",
        "http://a@b@c/",
        "http://h/[x]",
        "http://h/#a#b",
        "http://user@",
        "http://:80",
        "http://h:0",
        "http://h:65536",
        "http://h:000080",
        "http://h:port",
        "http://h:80:80",
        "http://[::1",
        "http://[::1]x/",
        "http://[::g]/",
        "http://[1.2.3.4]/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.x]/",
        "http://256.1.1.1/",
        "http://1.1.1/",
        "http://01.1.1.1/",
        "http://1.1.1.1./",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://a..b/",
        "http://.a/",
        "http://a,b/",
        "http://a%2eb/",
        f"http://{'a' * 64}.example/",
        f"http://{'a.' * 127}/",
    ],
)
def test_what_no_client_can_fetch_is_refused(text: str) -> None:
    assert uri(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:6666\\@1.1.1.1",
        "http://127.0.0.1:80@1.1.1.1/",
        "http://example.com@1.1.1.1/",
        "http://localhost:@1.1.1.1/",
        "http://a.b:c@1.1.1.1/",
        "http://example.com#@1.1.1.1/",
        "http://example.com?@1.1.1.1/",
        "http://example.com:80#x@1.1.1.1/",
        "http://1.1.1.1 &@2.2.2.2# @3.3.3.3/",
    ],
)
def test_what_two_readers_take_for_two_hosts_is_refused(text: str) -> None:
    assert uri(text)


@pytest.mark.parametrize("character", [*'\\ |{}^<>`"', "\x00", "\n", "\x7f", "é", "\u200b", "🚀"])
def test_a_character_outside_the_grammar_is_named_with_its_place(character: str) -> None:
    complaint = str(uri(f"http://h/{character}x"))
    spelled = "".join(f"%{byte:02X}" for byte in character.encode())
    assert "at character 10;" in complaint
    assert f"{spelled} is accepted" in complaint
    shown = "a space" if character == " " else repr(character)
    if not character.isprintable():
        shown = f"U+{ord(character):04X}"
    assert complaint.startswith(f"holds {shown} at")


@pytest.mark.parametrize("escape", ["%", "%z", "%zz", "%4", "%4g", "%%41"])
def test_a_percent_sign_needs_two_hexadecimal_digits(escape: str) -> None:
    complaint = str(uri(f"http://h/{escape}"))
    assert "at character 10" in complaint
    assert complaint.endswith("two hexadecimal digits; %25 is accepted")


def test_a_host_that_is_not_ascii_is_refused_for_that() -> None:
    for text in ("https://b\u00fccher.example/", "//b\u00fccher.example/"):
        assert "a host name in ASCII" in str(uri(text))


def test_a_host_has_253_characters_at_most() -> None:
    longest = ".".join(["a" * 63] * 3 + ["a" * 61])
    assert len(longest) == 253
    assert uri(f"http://{longest}/") is None
    assert uri(f"http://{longest}.")
