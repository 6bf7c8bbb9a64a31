// A strict OpenID Connect client that nobody here wrote (npm openid-client), from discovery to logout, with every
// signature checked. The browser is played along: its cookie is given. One JSON object in, one out.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import path from 'node:path'

const require = createRequire(path.join(process.env.PEERS, 'package.json'))
const client = await import(pathToFileURL(require.resolve('openid-client')).href)
const input = JSON.parse(await new Promise((resolve) => {
  let text = ''
  process.stdin.on('data', (part) => { text += part }).on('end', () => resolve(text))
}))
const config = await client.discovery(new URL(input.issuer), input.client_id, input.metadata, client.None(), {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
})
const headers = { cookie: input.cookie }
const browse = (url) => fetch(url, { redirect: 'manual', headers })

const signIn = async (more) => {
  const verifier = client.randomPKCECodeVerifier()
  const checks = {
    pkceCodeVerifier: verifier, expectedState: client.randomState(), expectedNonce: client.randomNonce(),
    idTokenExpected: true,
  }
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: input.redirect_uri, scope: 'openid profile email offline_access',
    state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...more,
  })
  const page = new URL((await browse(url)).headers.get('location'), url)
  let answered = await browse(page)
  const asked = answered.status === 200
  if (asked) {
    const csrf = /name="csrf" value="([0-9a-f]+)"/.exec(await answered.text())[1]
    answered = await fetch(page, {
      method: 'POST', redirect: 'manual', headers: { ...headers, origin: new URL(input.issuer).origin },
      body: new URLSearchParams({ csrf, answer: 'allow' }),
    })
  }
  const back = new URL(answered.headers.get('location'))
  return { asked, tokens: await client.authorizationCodeGrant(config, back, checks) }
}

const first = await signIn({ max_age: '3600' })
const claims = first.tokens.claims()
const told = await client.fetchUserInfo(config, first.tokens.access_token, claims.sub)
const renewed = await client.refreshTokenGrant(config, first.tokens.refresh_token)
const again = await signIn({ prompt: 'none', id_token_hint: first.tokens.id_token })
const out = client.buildEndSessionUrl(config, {
  id_token_hint: first.tokens.id_token, post_logout_redirect_uri: input.goodbye, state: 'a state',
})
const gone = await browse(out)
let refusal
try {
  await client.fetchUserInfo(config, renewed.access_token, claims.sub)
} catch (error) {
  refusal = { status: error.status, challenge: error.cause[0].parameters.error }
}
process.stdout.write(JSON.stringify({
  claims, told, renewed: renewed.claims(), asked: [first.asked, again.asked],
  gone: { status: gone.status, location: gone.headers.get('location') }, refusal,
}))
