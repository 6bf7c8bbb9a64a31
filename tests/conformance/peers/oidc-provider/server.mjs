// oidc-provider in memory, as a company's own provider: people sign in by its own pages, and out again.
import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const config = JSON.parse(readFileSync(0, 'utf8'));
const provider = new Provider(config.issuer, {
  clients: [
    {
      client_id: 'remit',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks_uri: config.jwks_uri,
      redirect_uris: [config.redirect_uri],
      post_logout_redirect_uris: [config.after],
      backchannel_logout_uri: config.logout_uri,
      backchannel_logout_session_required: true,
      require_pushed_authorization_requests: true,
    },
  ],
  clientAuthMethods: ['private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['ES256'] },
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `${id} Example`, email: `${id}@company.com`, email_verified: true }),
  }),
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  // We are on this very machine, which it would rightly refuse to fetch from.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  pkce: { required: () => true },
});
provider.listen(config.port, '127.0.0.1', () => console.log('ready'));
