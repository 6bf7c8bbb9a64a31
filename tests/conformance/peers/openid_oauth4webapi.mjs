// A strict client that nobody here wrote (npm oauth4webapi) signing a person in by OpenID Connect with DPoP: ID token,
// its signature, and the userinfo endpoint. The browser is played along. One JSON object in, one out.
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
const client = { client_id: input.client_id }
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
const issuer = new URL(input.issuer)
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
const verifier = oauth.generateRandomCodeVerifier()
const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
const start = new URL(as.authorization_endpoint)
start.search = new URLSearchParams({
  response_type: 'code', client_id: input.client_id, redirect_uri: input.redirect_uri, state, nonce,
  scope: 'openid profile', code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256', claims: '{"id_token":{"name":{"essential":true}}}',
})
const headers = { cookie: input.cookie }
const page = new URL((await fetch(start, { redirect: 'manual', headers })).headers.get('location'), start)
const csrf = /name="csrf" value="([0-9a-f]+)"/.exec(await (await fetch(page, { headers })).text())[1]
const answered = await fetch(page, {
  method: 'POST', redirect: 'manual', headers: { ...headers, origin: issuer.origin },
  body: new URLSearchParams({ csrf, answer: 'allow' }),
})
const back = oauth.validateAuthResponse(as, client, new URL(answered.headers.get('location')), state)
const response = await oauth.authorizationCodeGrantRequest(
  as, client, oauth.None(), back, input.redirect_uri, verifier, { DPoP, ...insecure })
const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, {
  expectedNonce: nonce, requireIdToken: true,
})
await oauth.validateApplicationLevelSignature(as, response, insecure)
const claims = oauth.getValidatedIdTokenClaims(tokens)
const told = await oauth.processUserInfoResponse(as, client, claims.sub,
  await oauth.userInfoRequest(as, client, tokens.access_token, { DPoP, ...insecure }))
process.stdout.write(JSON.stringify({ tokens, claims, told }))
