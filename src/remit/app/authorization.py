"""The authorization server of one tenant, bound to what it stands on."""

from remit.app.bindings.delegations import EnvelopeRegister
from remit.app.bindings.federation import Federation
from remit.app.bindings.standing import SnapshotStandings
from remit.app.ground import Ground
from remit.authority.consent_service import ConsentService
from remit.authority.oauth.clients.certificates import CertificateTrust, UnfitCertificate
from remit.authority.oauth.provider import Consenting, OAuth
from remit.authority.oauth.repository import NoObjection
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.options import AuthorityOptions
from remit.authority.task_service import TaskService
from remit.kernel.derivation import Purpose
from remit.kernel.jose.nonce import NonceBox
from remit.platform.outbound import GuardedHttp
from remit.platform.settings.options import ClientChoices
from remit.platform.settings.refusals import StartRefused


def authorization_server(
    ground: Ground, options: AuthorityOptions, federation: Federation, fetches: GuardedHttp
) -> OAuth:
    """As the settings want it; what is off is not served and not named."""
    chosen = ground.settings
    return OAuth.build(
        options=OAuthOptions(
            issuer=options.issuer,
            trust_domain=options.trust_domain,
            access_token_life=options.lifetimes.access_token,
            bearer_token_life=chosen.authority.bearer_token,
            require_nonce=chosen.oauth.require_nonce,
            proofs_per_minute=chosen.oauth.proofs_per_minute,
            strict_assertion_type=chosen.oauth.strict_assertion_type,
            workloads=True,
            saml=chosen.federation.saml,
            documents=chosen.clients.documents(),
            dynamic=chosen.clients.dynamic(),
            certificates=bool(chosen.http.certificate_proxies),
            authorities=chosen.clients.authorities is not None,
            status_lists=chosen.oauth.status_lists,
            devices=chosen.oauth.devices,
            domains=True,
            transactions=chosen.oauth.transaction_tokens,
        ),
        tenant=ground.tenant,
        uow=ground.work,
        keys=ground.keys,
        delegations=EnvelopeRegister(keys=ground.keys, options=options, entropy=ground.entropy),
        gate=NoObjection(),
        issuer_keys=federation.refresher,
        domain_keys=federation.refresher,
        views=SnapshotStandings(ground.snapshots),
        clock=ground.clock,
        entropy=ground.entropy,
        consenting=_consenting(ground, options),
        nonces=NonceBox(
            key=ground.kek.subkey(purpose=Purpose.DPOP_NONCE, tenant=ground.tenant), tenant=ground.tenant
        ),
        outbound=fetches,
        trust=_authorities(chosen.clients),
    )


def _authorities(chosen: ClientChoices) -> CertificateTrust:
    """The authorities of client certificates. Raises `StartRefused` for a file that holds none."""
    if chosen.authorities is None:
        return CertificateTrust()
    try:
        return CertificateTrust.read(chosen.authorities.expanduser().read_bytes())
    except (OSError, UnfitCertificate) as unfit:
        raise StartRefused(
            f"`clients.authorities` is `{chosen.authorities}`, which holds no certificates in PEM",
            next_step="name a file with the authorities' certificates, or leave it out",
        ) from unfit


def _consenting(ground: Ground, options: AuthorityOptions) -> Consenting:
    work, entropy, tenant = ground.work, ground.entropy, ground.tenant
    return Consenting(
        consents=ConsentService(uow=work, entropy=entropy, tenant=tenant),
        tasks=TaskService(uow=work, keys=ground.keys, options=options, entropy=entropy, tenant=tenant),
        successors=ground.kek.subkey(purpose=Purpose.REFRESH, tenant=tenant),
        calls=ground.kek.subkey(purpose=Purpose.BACKCHANNEL, tenant=tenant),
    )
