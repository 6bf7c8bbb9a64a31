// A strict OAuth client that nobody here wrote (npm oauth4webapi), on a device without a browser: it asks, polls,
// is told to wait, and gets its tokens once a person has typed its code. One JSON object in, one out.
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
const as = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))

const asked = await oauth.processDeviceAuthorizationResponse(as, client,
  await oauth.deviceAuthorizationRequest(as, client, oauth.None(), { resource: input.resource },
    insecure))

const poll = async () => {
  try {
    const answer = await oauth.deviceCodeGrantRequest(
      as, client, oauth.None(), asked.device_code, { DPoP, ...insecure })
    return { tokens: await oauth.processDeviceCodeResponse(as, client, answer) }
  } catch (error) {
    return { error: error.error, status: error.status }
  }
}
const first = await poll()
const second = await poll()

const headers = { cookie: input.cookie }
const csrf = (text) => /name="csrf" value="([0-9a-f]+)"/.exec(text)[1]
const send = (address, fields) => fetch(address, {
  method: 'POST', redirect: 'manual', headers: { ...headers, origin: issuer.origin },
  body: new URLSearchParams(fields),
})
const page = await (await fetch(asked.verification_uri, { redirect: 'manual', headers })).text()
const typed = await send(asked.verification_uri, { csrf: csrf(page), user_code: asked.user_code })
const place = new URL(typed.headers.get('location'), issuer)
const shown = await (await fetch(place, { redirect: 'manual', headers })).text()
await send(place, { csrf: csrf(shown), answer: 'allow' })

const third = await poll()
const fourth = await poll()
process.stdout.write(JSON.stringify({ asked, first, second, third, fourth, as }))
