"""Identity providers that an administrator connected, and what their word counts for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from remit.identity.upstream.mapping import Mapping
from remit.kernel.ids import PrincipalId, TenantId

IdpId = NewType("IdpId", str)


class Product(StrEnum):
    """Which product it is: what its claims are called, and which of them can be believed."""

    OKTA = "okta"
    AUTH0 = "auth0"
    ENTRA = "entra"
    PING = "ping"
    ONELOGIN = "onelogin"
    KEYCLOAK = "keycloak"
    GOOGLE = "google"
    GENERIC = "generic"


class Language(StrEnum):
    """In which protocol it speaks."""

    OIDC = "oidc"
    SAML = "saml"


class Standing(StrEnum):
    """Whether people may come from it; what was retired never comes back."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class Provisioning(StrEnum):
    """What becomes of somebody whom it vouches for and whom we do not know."""

    LINKED_ONLY = "linked_only"
    """Nothing: a person or an administrator must have linked them before."""
    CREATE = "create"
    """They are entered into the directory, without any role, if they fulfil every condition."""


class Proves(StrEnum):
    """How we prove to be its client at its token endpoint."""

    KEY = "private_key_jwt"
    BASIC = "client_secret_basic"
    POST = "client_secret_post"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What must be true of everybody who comes: a claim with exactly one of these values."""

    claim: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcClient:
    """We as a client of an OpenID provider: its endpoints as its discovery document named them."""

    client_id: str
    proves: Proves
    scopes: tuple[str, ...]
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    par_endpoint: str = ""
    end_session_endpoint: str = ""
    acr_values: tuple[str, ...] = ()
    """What is asked for where a fresh and stronger proof is wanted (step-up), in the provider's own words."""
    iss_promised: bool = False
    """RFC 9207 §3: its metadata announces `iss` in each answer; one without it is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlPeer:
    """A SAML provider as its metadata described it; its certificates are kept with all other keys."""

    sign_in: str
    """Where people are sent (redirect binding)."""
    metadata: str = ""
    """Where its metadata is read anew; empty: what the administrator gave stays until they give another."""
    name_format: str = ""
    """The one `NameID` format that may name a person; empty: an attribute names them."""
    signed: bool = False
    """Whether it takes only requests that we sign (`WantAuthnRequestsSigned`)."""
    encrypted: bool = False
    """Whether it encrypts its assertions to our key; then none that comes in the clear is taken."""
    sign_out: str = ""
    """Where it is told that somebody signs out; empty: it does not want to be told."""
    sign_out_answer: str = ""
    """Where it takes our answers to its own logout; empty: at `sign_out`."""
    sign_out_binding: str = ""
    """How both are sent: redirect, or POST where it has no redirect."""
    metadata_signers: tuple[str, ...] = ()
    """Certificates (DER in base64), one of which must have signed its metadata; empty: TLS alone vouches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """A provider as an administrator connected it.

    `issuer` is the issuer, or SAML entity id, compared byte for byte; among those that are not retired, no
    two have the same, nor the same name. `mapping` is what its claims mean; None: as its product has them.
    Every one of `conditions` is asked at each arrival, not only at the first.
    """

    id: IdpId
    tenant: TenantId
    name: str
    product: Product
    language: Language
    issuer: str
    standing: Standing
    provisioning: Provisioning
    conditions: tuple[Condition, ...] = ()
    mapping: Mapping | None = None
    oidc: OidcClient | None = None
    saml: SamlPeer | None = None
    created_by: PrincipalId
    created_at: datetime
    changed_at: datetime
