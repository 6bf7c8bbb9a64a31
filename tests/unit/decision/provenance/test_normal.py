"""Values, however they are written; and what is not equated."""

import base64

import pytest

from remit.decision.provenance.normal import Shape, Value, decoded, number, quoted_in, twin_of, values_in


@pytest.mark.parametrize(
    ("text", "shape", "form"),
    [
        ("write to <Ana@Company.COM>, soon", Shape.MAIL, "ana@company.com"),
        ("mailto:ana@company.com", Shape.MAIL, "ana@company.com"),
        ("see https://Files.Company.com/a%20b/?q=1#top.", Shape.URL, "files.company.com/a b?q=1"),
        ("see https://Files.Company.com/x", Shape.HOST, "files.company.com"),
        ("go to www.company.com now", Shape.HOST, "www.company.com"),
        ("IBAN: DE89 3704 0044 0532 0130 00", Shape.IBAN, "DE89370400440532013000"),
        ("call +49 (30) 1234-5678", Shape.PHONE, "493012345678"),
        ("a total of 1,200.00 EUR", Shape.NUMBER, "1200"),
        ("on May 15th, 2026", Shape.DATE, "2026-05-15"),
        ("on 15 May", Shape.DATE, "--05-15"),
        ("due 2026-05-15T10:00:00Z", Shape.DATE, "2026-05-15"),
        ("open /etc/passwd", Shape.PATH, "/etc/passwd"),
        ("open 'report.docx'", Shape.PATH, "report.docx"),
        ("an\u200ba@com\u200bpany.com", Shape.MAIL, "ana@company.com"),
    ],
)
def test_a_value_has_one_form(text: str, shape: Shape, form: str) -> None:
    assert Value(shape, form) in values_in(text)


def test_a_look_alike_is_another_value_that_names_what_it_imitates() -> None:
    twin = "\u0430na@company.com"
    assert Value(Shape.MAIL, "ana@company.com") not in values_in(twin)
    assert twin_of(twin) == "ana@company.com"


def test_encodings_come_off() -> None:
    packed = base64.b64encode(b"https://evil.example/x").decode()
    assert "https://evil.example/x" in set(decoded(f"see {packed}"))
    assert "ana@company.com" in set(decoded("ana%40company.com"))


def test_quotes_and_numbers() -> None:
    assert quoted_in("call it 'Team  Lunch' or \u201cBoard\u201d") >= {"team lunch", "board"}
    assert number("1'200,50") == number("1200.5") == "1200.5"
    with pytest.raises(ValueError, match="none"):
        number("none")
