// A strict OAuth client that nobody here wrote (npm oauth4webapi), going the whole way of a task token.
// Reads one JSON object from standard input, writes one to standard output.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import path from 'node:path'

const require = createRequire(path.join(process.env.PEERS, 'package.json'))
const oauth = await import(pathToFileURL(require.resolve('oauth4webapi')).href)
const input = JSON.parse(await new Promise((resolve) => {
  let text = ''
  process.stdin.on('data', (part) => { text += part }).on('end', () => resolve(text))
}))
const insecure = { [oauth.allowInsecureRequests]: true }
const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
const { d, ...halves } = input.jwk
const key = await crypto.subtle.importKey('jwk', input.jwk, algorithm, false, ['sign'])
const shown = await crypto.subtle.importKey('jwk', halves, algorithm, true, ['verify'])
const client = { client_id: input.client_id }
const auth = oauth.PrivateKeyJwt({ key, kid: input.kid })
const DPoP = () => oauth.DPoP(client, { privateKey: key, publicKey: shown })

const issuer = new URL(input.issuer)
const as = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
const resource = new URL(input.resource)
const described = await oauth.processResourceDiscoveryResponse(
  resource, await oauth.resourceDiscoveryRequest(resource, insecure))

const own = await oauth.processClientCredentialsResponse(as, client,
  await oauth.clientCredentialsGrantRequest(as, client, auth, {}, { DPoP: DPoP(), ...insecure }))

const type = 'urn:ietf:params:oauth:token-type:'
const task = await oauth.processGenericTokenEndpointResponse(as, client,
  await oauth.genericTokenEndpointRequest(as, client, auth,
    'urn:ietf:params:oauth:grant-type:token-exchange',
    {
      subject_token: input.envelope, subject_token_type: `${type}txn_token`,
      actor_token: own.access_token, actor_token_type: `${type}access_token`,
      resource: input.resource,
    }, { DPoP: DPoP(), ...insecure }))

const introspect = async () => oauth.processIntrospectionResponse(as, client,
  await oauth.introspectionRequest(as, client, auth, task.access_token, insecure))
const before = await introspect()

let refusal
try {
  await oauth.processClientCredentialsResponse(as, client,
    await oauth.clientCredentialsGrantRequest(as, client, auth, { scope: 'remit.admin' }, { DPoP: DPoP(), ...insecure }))
} catch (error) {
  refusal = { error: error.error, status: error.status, thrown: error.name }
}
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, auth, task.access_token, insecure))
const after = await introspect()

process.stdout.write(JSON.stringify({ own, task, before, after, refusal, described }))
