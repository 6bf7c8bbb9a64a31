// oidc-provider in memory: client credentials by private_key_jwt, DPoP-bound JWT access tokens (ES256).
import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const provider = new Provider(config.issuer, {
  clients: config.clients.map((each) => ({
    client_id: each.client_id,
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [each.jwk] },
    grant_types: ['client_credentials'],
    id_token_signed_response_alg: 'ES256',
    response_types: [],
    redirect_uris: [],
    scope: 'tools:call',
    dpop_bound_access_tokens: true,
  })),
  clientAuthMethods: ['private_key_jwt'],
  scopes: ['tools:call'],
  jwks: { keys: [config.key] },
  ttl: { ClientCredentials: 300 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => config.resource,
      getResourceServerInfo: () => ({
        scope: 'tools:call',
        audience: config.resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
provider.listen(config.port, '127.0.0.1');
