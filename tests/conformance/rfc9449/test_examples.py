"""The RFC's own proofs, as of their own time."""

from datetime import UTC, datetime

import pytest

from remit.kernel.jose.dpop import access_token_hash, verify_proof
from remit.kernel.jose.errors import ProofRejected

# RFC 9449 Figure 2, published by the IETF; line ends removed.
PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0Rs"
    "cEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2"
    "In19"
    ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiw"
    "iaWF0IjoxNTYyMjYyNjE2fQ"
    ".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
MADE = datetime.fromtimestamp(1562262616, UTC)
TARGET = "https://server.example.com/token"


@pytest.mark.spec("RFC 9449", "4.1")
def test_the_example_proof_holds_and_names_its_key() -> None:
    held = verify_proof(PROOF, method="POST", target=TARGET, at=MADE, access_token=None)
    # RFC 9449 Figure 9: the `jkt` of the same key.
    held.require_key("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I")
    assert held.jti == "-BwC3ESc6acc2lTc"
    assert held.issued_at == MADE


@pytest.mark.spec("RFC 9449", "7.1")
def test_the_example_token_has_its_hash() -> None:
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    assert access_token_hash(token) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


@pytest.mark.spec("RFC 9449", "7")
def test_the_example_proof_is_of_no_use_with_a_token() -> None:
    with pytest.raises(ProofRejected) as refusal:
        verify_proof(PROOF, method="POST", target=TARGET, at=MADE, access_token="any")
    assert refusal.value.reason == "other_token"
