"""Where a text leads, however it is spelled."""

import pytest

from remit.kernel.places import LONGEST, place_of, places_in

HERE = (
    "http://127.0.0.1", "127.0.0.1", "127.1", "http://2130706433/", "0x7f000001", "0x7f.1", "0177.0.0.1",
    "http://0/",
    "http://[::1]:80/", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "http://localhost", "LOCALHOST.",
    "a.localhost:80",
    "http://127.0.0.1.", "http://\uff11\uff12\uff17.0.0.1",
    "http://①②⑦.⓪.⓪.①", "http://127。0。0。1", "//127.0.0.1/x",
    "http:\\\\127.0.0.1",
    "http:/127.0.0.1", "http:127.0.0.1", "\\\\127.0.0.1\\c$", "http://127.0\n.0.1", "\thttp://127.1",
    "http://127.0.0%2e1", "http://%31%32%37.0.0.1", "http://evil.example@127.0.0.1/", "http://a:b@127.1:80/",
    "http://127.0.0.1#@company.com", "wss://127.1", "[::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::]", "http://0.0.0.0:8000",
    "http://169.254.169.254/latest/meta-data", "http://[fe80::1]", "http://10.1", "192.168.1.9:22",
    "http://100.64.1.1",
    "http://[fd00::1]", "metadata.google.internal", "http://printer.local", "http://224.0.0.1",
)  # fmt: skip
AWAY = (
    "https://company.com",
    "company.com/x",
    "http://8.8.8.8",
    "[2606:4700::1111]",
    "web-1",
    "localhost.company.com",
)
NOTHING_READABLE = (
    "http://[::1", "http://1.2.3.4.5", "http://256.1.1.1", "http://0x7g.1", "http://a b/",
    "javascript:alert(1)", "http://127.0.0.1:80:80", "http://\u00ad", "x" * (LONGEST + 1),
    "http://4294967296", "http://127.0.0.1\\@company.com", "http://company.com:port/",
)  # fmt: skip


@pytest.mark.req("R133")
@pytest.mark.parametrize("text", HERE)
def test_no_spelling_hides_what_is_not_public(text: str) -> None:
    place = place_of(text)
    assert place is not None
    assert place.private or not place.readable
    assert place.private, "read, not only refused"


@pytest.mark.parametrize("text", AWAY)
def test_public_places_are_public(text: str) -> None:
    place = place_of(text)
    assert place is not None
    assert (place.readable, place.private) == (True, False)


@pytest.mark.parametrize("text", NOTHING_READABLE)
def test_what_readers_differ_about_is_unreadable(text: str) -> None:
    place = place_of(text)
    assert place is not None
    assert not place.readable


@pytest.mark.parametrize("text", ["", "/path", "?q=1", "#top", " "])
def test_a_path_of_the_own_site_leads_nowhere_else(text: str) -> None:
    assert place_of(text) is None


def test_the_second_of_two_addresses_is_seen_and_a_comma_in_a_query_is_none() -> None:
    assert [place.host for place in places_in("https://a.example http://127.1/")] == [
        "a.example",
        "127.0.0.1",
    ]
    assert [place.host for place in places_in("https://a.example,http://127.1/")] == [
        "a.example",
        "127.0.0.1",
    ]
    assert [place.host for place in places_in("a.example 127.1")] == ["a.example", "127.0.0.1"]
    assert [place.host for place in places_in("https://a.example/?x=1,2")] == ["a.example"]
    assert [place.port for place in places_in("a.example:8080/x")] == ["8080"]
