"""RFC 8291, its own example byte for byte; RFC 8292, by a second implementation of JOSE."""

from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from remit.kernel.canonical import b64u, b64u_decode
from remit.oversight.notices.errors import Rejected
from remit.platform.channels.encryption import LARGEST, encrypt
from remit.platform.channels.vapid import authorization, make_pair
from support.telling import PushBrowser

PLAIN = b"When I grow up, I want to be a watermelon"
RECEIVER = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
SENDER_PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
MESSAGE = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
    "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
"""RFC 8291 §5."""
AT = datetime(2026, 5, 15, 12, tzinfo=UTC)


def sender() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(b64u_decode(SENDER_PRIVATE), "big"), ec.SECP256R1())


@pytest.mark.spec("RFC 8291", "5")
@pytest.mark.spec("RFC 8188", "2")
def test_the_example_of_the_standard_byte_for_byte() -> None:
    made = encrypt(
        PLAIN,
        to=b64u_decode(RECEIVER),
        auth=b64u_decode(AUTH),
        private=sender(),
        salt=b64u_decode(SALT),
    )
    assert b64u(made) == MESSAGE


@pytest.mark.spec("RFC 8291", "4")
def test_the_largest_message_is_read_and_one_byte_more_is_refused() -> None:
    browser = PushBrowser()
    key = {"to": browser.public, "auth": browser.auth, "private": sender(), "salt": bytes(16)}
    whole = encrypt(b"a" * LARGEST, **key)  # type: ignore[arg-type]  # named as the function names them
    assert len(whole) == 4096
    assert browser.read(whole) == b"a" * LARGEST
    with pytest.raises(Rejected):
        encrypt(b"a" * (LARGEST + 1), **key)  # type: ignore[arg-type]  # as above


@pytest.mark.spec("RFC 8291", "2")
@pytest.mark.parametrize(
    "broken", [{"to": bytes(65)}, {"to": b"\x04" + b"\x01" * 64}, {"to": b""}, {"auth": b"short"}]
)
def test_a_subscription_that_is_none_is_refused(broken: dict[str, bytes]) -> None:
    browser = PushBrowser()
    key = {"to": browser.public, "auth": browser.auth, "private": sender(), "salt": bytes(16)}
    with pytest.raises(Rejected):
        encrypt(PLAIN, **{**key, **broken})  # type: ignore[arg-type]  # as above


@pytest.mark.spec("RFC 8292", "2")
@pytest.mark.spec("RFC 8292", "3")
def test_the_token_names_this_push_service_and_nobody_elses_and_lives_a_day_at_most() -> None:
    private, public = make_pair()
    header = authorization(
        private, endpoint="https://push.example:8443/x?y", contact="mailto:user@company.com", at=AT
    )
    scheme, _, rest = header.partition(" ")
    said = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert (scheme, said["k"]) == ("vapid", public)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b64u_decode(said["k"]))
    claims = jwt.decode(
        said["t"],
        key,
        algorithms=["ES256"],
        audience="https://push.example:8443",
        options={"verify_exp": False},
    )
    assert claims["sub"] == "mailto:user@company.com"
    assert 0 < claims["exp"] - AT.timestamp() <= 86_400
    assert jwt.get_unverified_header(said["t"]) == {"typ": "JWT", "alg": "ES256"}
