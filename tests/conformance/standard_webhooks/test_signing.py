"""Standard Webhooks 1.0: the reference implementation's own vector, and two secrets while one is changed."""

from datetime import UTC, datetime

import pytest

from remit.platform.channels.standard_webhooks import make_secret, signed
from support.telling import standard_signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
IDENT = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
"""Of the reference implementations' test suites."""


@pytest.mark.spec("Standard Webhooks 1.0", "Verifying webhook authenticity")
def test_the_reference_vector() -> None:
    headers = signed(BODY, ident=IDENT, at=AT, secrets=(SECRET,))
    assert headers == {
        "webhook-id": IDENT,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


@pytest.mark.spec("Standard Webhooks 1.0", "Multiple signatures")
def test_both_secrets_verify_while_one_is_changed() -> None:
    old, new = SECRET, make_secret(bytes(range(32)))
    headers = signed(BODY, ident=IDENT, at=AT, secrets=(new, old))
    both = headers["webhook-signature"].split(" ")
    assert both == [standard_signature(each, headers, BODY) for each in (new, old)]
    assert signed(BODY, ident=IDENT, at=AT, secrets=(new, ""))["webhook-signature"] == both[0]
