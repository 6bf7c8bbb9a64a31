"""Client certificates at the token endpoint: who a certificate proves, and what is bound to it (RFC 8705).

The certificate comes from whoever ended the TLS connection; that he may say so is the surface's to know.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.x509 import verification

from remit.authority.oauth.clients.keys import stated_keys
from remit.authority.oauth.clients.registration import AuthMethod, ClientRegistration
from remit.kernel.canonical import same_bytes
from remit.kernel.certificate import PresentedCertificate
from remit.kernel.errors import Invalid

CHAIN_LIMIT: Final = 8


class UnfitCertificate(Invalid):
    """A certificate, or the text of a certificate authority, can't be read."""

    code = "certificate_unfit"


class CertificateTrust:
    """The authorities whose certificates name clients (`tls_client_auth`); without one nobody is named."""

    def __init__(self, roots: Sequence[x509.Certificate] = ()) -> None:
        self._roots = tuple(roots)

    @classmethod
    def read(cls, pem: bytes) -> "CertificateTrust":
        """Read a bundle in PEM. Raises `UnfitCertificate`."""
        try:
            return cls(x509.load_pem_x509_certificates(pem))
        except ValueError as broken:
            raise UnfitCertificate("the file holds no certificates in PEM") from broken

    @property
    def serves(self) -> bool:
        """Whether the method that needs an authority can be offered."""
        return bool(self._roots)

    def proves(self, registration: ClientRegistration, shown: PresentedCertificate, *, at: datetime) -> bool:
        """Whether this certificate is that client's, by the one method that it is registered for."""
        match registration.auth_method:
            case AuthMethod.SELF_SIGNED_TLS:
                return _is_registered(registration, shown)
            case AuthMethod.TLS:
                return self._is_named(registration, shown, at)
            case _:
                return False

    def _is_named(self, registration: ClientRegistration, shown: PresentedCertificate, at: datetime) -> bool:
        """RFC 8705 §2.1: a path to an authority of ours, at this moment, and the registered name."""
        if not self._roots or registration.certificate is None or len(shown.chain) > CHAIN_LIMIT:
            return False
        try:
            leaf = x509.load_der_x509_certificate(shown.der)
            above = [x509.load_der_x509_certificate(each) for each in shown.chain]
            store = verification.Store(list(self._roots))
            checker = verification.PolicyBuilder().store(store).time(at).build_client_verifier()
            checker.verify(leaf, above)
        except (ValueError, verification.VerificationError):
            return False
        name, value = registration.certificate
        return _NAMES[name](leaf, value)


def _is_registered(registration: ClientRegistration, shown: PresentedCertificate) -> bool:
    """RFC 8705 §2.2: the very certificate; its chain, name and dates mean nothing."""
    known = stated_keys(registration.jwks) if registration.jwks else ()
    return any(key.certificate and same_bytes(key.certificate, shown.der) for key in known)


def _subject(leaf: x509.Certificate, value: str) -> bool:
    try:
        return leaf.subject == x509.Name.from_rfc4514_string(value)
    except ValueError:
        return False


def _names(leaf: x509.Certificate) -> x509.SubjectAlternativeName:
    return leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def _address(leaf: x509.Certificate, value: str) -> bool:
    try:
        return ip_address(value) in _names(leaf).get_values_for_type(x509.IPAddress)
    except ValueError:
        return False


_NAMES: Final[dict[str, Callable[[x509.Certificate, str], bool]]] = {
    "subject_dn": _subject,
    "san_dns": lambda leaf, value: value in _names(leaf).get_values_for_type(x509.DNSName),
    "san_uri": lambda leaf, value: value in _names(leaf).get_values_for_type(x509.UniformResourceIdentifier),
    "san_ip": _address,
    "san_email": lambda leaf, value: value in _names(leaf).get_values_for_type(x509.RFC822Name),
}
