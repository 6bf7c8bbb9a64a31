// A strict OAuth client that nobody here wrote (npm oauth4webapi), that asks a person behind the scenes: it asks,
// polls, is told to wait, and gets its tokens once the person has answered. One JSON object in, one out.
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
const client = { client_id: input.client_id, id_token_signed_response_alg: 'ES256' }
const auth = oauth.PrivateKeyJwt({ key, kid: input.kid })
const DPoP = oauth.DPoP(client, { privateKey: key, publicKey: shown })
const issuer = new URL(input.issuer)
const as = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))

const asked = await oauth.processBackchannelAuthenticationResponse(as, client,
  await oauth.backchannelAuthenticationRequest(as, client, auth,
    { scope: 'openid', login_hint: input.person, resource: input.resource, binding_message: 'room 401' },
    insecure))

const poll = async () => {
  try {
    const answer = await oauth.backchannelAuthenticationGrantRequest(
      as, client, auth, asked.auth_req_id, { DPoP, ...insecure })
    const tokens = await oauth.processBackchannelAuthenticationGrantResponse(as, client, answer)
    await oauth.validateApplicationLevelSignature(as, answer, insecure)
    return { tokens, claims: oauth.getValidatedIdTokenClaims(tokens) }
  } catch (error) {
    return { error: error.error ?? String(error.cause ?? error), status: error.status }
  }
}
const first = await poll()
const second = await poll()

const headers = { cookie: input.cookie }
const listed = await (await fetch(new URL('/me/asks', issuer), { redirect: 'manual', headers })).text()
const place = new URL(/href="(\/me\/asks\/[0-9a-f]{64})"/.exec(listed)[1], issuer)
const page = await (await fetch(place, { redirect: 'manual', headers })).text()
await fetch(place, {
  method: 'POST', redirect: 'manual', headers: { ...headers, origin: issuer.origin },
  body: new URLSearchParams({ csrf: /name="csrf" value="([0-9a-f]+)"/.exec(page)[1], answer: 'allow' }),
})

const third = await poll()
const fourth = await poll()
process.stdout.write(JSON.stringify({ asked, first, second, third, fourth, as }))
