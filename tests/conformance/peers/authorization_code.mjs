// A strict OAuth client that nobody here wrote (npm oauth4webapi), signing a person in: PAR, PKCE, `iss`, DPoP,
// refresh. The browser is played along: its cookie is given. One JSON object in, one out.
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
const keys = await oauth.generateKeyPair('ES256')
const DPoP = oauth.DPoP(client, keys)
const issuer = new URL(input.issuer)
const as = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))

const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const asked = new URLSearchParams({
  response_type: 'code', client_id: input.client_id, redirect_uri: input.redirect_uri, state,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  resource: input.resource,
})
const pushed = await oauth.processPushedAuthorizationResponse(as, client,
  await oauth.pushedAuthorizationRequest(as, client, oauth.None(), asked, { DPoP, ...insecure }))

const start = new URL(as.authorization_endpoint)
start.search = new URLSearchParams({ client_id: input.client_id, request_uri: pushed.request_uri })
const headers = { cookie: input.cookie }
const began = await fetch(start, { redirect: 'manual', headers })
const page = new URL(began.headers.get('location'), start)
const shown = await (await fetch(page, { redirect: 'manual', headers })).text()
const csrf = /name="csrf" value="([0-9a-f]+)"/.exec(shown)[1]
const answered = await fetch(page, {
  method: 'POST', redirect: 'manual', headers: { ...headers, origin: issuer.origin },
  body: new URLSearchParams({ csrf, answer: 'allow' }),
})
const back = oauth.validateAuthResponse(as, client, new URL(answered.headers.get('location')), state)

const tokens = await oauth.processAuthorizationCodeResponse(as, client,
  await oauth.authorizationCodeGrantRequest(
    as, client, oauth.None(), back, input.redirect_uri, verifier, { DPoP, ...insecure }))
const renewed = await oauth.processRefreshTokenResponse(as, client,
  await oauth.refreshTokenGrantRequest(
    as, client, oauth.None(), tokens.refresh_token, { DPoP, ...insecure }))
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, oauth.None(), renewed.refresh_token, insecure))
let refusal
try {
  await oauth.processRefreshTokenResponse(as, client,
    await oauth.refreshTokenGrantRequest(
      as, client, oauth.None(), renewed.refresh_token, { DPoP, ...insecure }))
} catch (error) {
  refusal = { error: error.error, status: error.status }
}
process.stdout.write(JSON.stringify({ pushed, tokens, renewed, refusal, as }))
