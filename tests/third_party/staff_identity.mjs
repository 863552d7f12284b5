// An OpenID Connect provider for staff, made of oidc-provider, which is not ours: localhost, invented people.
//
// oidc-provider does everything: discovery, PKCE, codes, tokens, the id_token with `amr`, RFC 9207 `iss`, its keys.
// This script adds the list of people and one page with a button for each; the button says how they signed in.
//
//     node staff_identity.mjs --redirect URL --client-secret-file FILE     prints {"ready"}

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import Provider from 'oidc-provider';

const { values: options } = parseArgs({
  options: { redirect: { type: 'string' }, 'client-secret-file': { type: 'string' } },
});
const PEOPLE = { dana: ['Dana Brooks', ['leads']], miguel: ['Miguel Ortega', ['cases']], eve: ['Eve', []] };
const WAYS = { key: ['pwd', 'hwk', 'mfa'], password: ['pwd'] };

function providerFor(issuer) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return new Provider(issuer, {
    clients: [{
      client_id: 'portal', client_secret: readFileSync(options['client-secret-file'], 'utf8').trim(),
      redirect_uris: [options.redirect], grant_types: ['authorization_code'], response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    }],
    claims: { openid: ['sub', 'amr'], profile: ['name', 'groups'] },
    conformIdTokenClaims: false,
    findAccount: (_ctx, id) => ({
      accountId: id, claims: () => ({ sub: id, name: PEOPLE[id][0], groups: PEOPLE[id][1] }),
    }),
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'one' }] },
    ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Session: 600, Grant: 600 },
  });
}

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) {
    parts.push(part);
  }
  return new URLSearchParams(Buffer.concat(parts).toString('utf8'));
}

async function interaction(request, response) {
  const details = await provider.interactionDetails(request, response);
  if (request.method !== 'POST') {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(`<form method="post" action="/interaction/${details.uid}"><input name="who" value=""><input name="way" value=""></form>`);
    return undefined;
  }
  const form = await bodyOf(request);
  const accountId = form.get('who');
  if (!(accountId in PEOPLE)) {
    return provider.interactionFinished(request, response, { error: 'access_denied' }, { mergeWithLastSubmission: false });
  }
  const grant = new provider.Grant({ accountId, clientId: details.params.client_id });
  grant.addOIDCScope(details.params.scope);
  const login = { accountId, amr: WAYS[form.get('way')], remember: false };
  const result = { login, consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

let provider;
const parent = process.ppid;
setInterval(() => process.ppid === parent || process.exit(0), 500).unref();
process.on('SIGTERM', () => process.exit(0));
const http = createServer((request, response) => {
  const answered = request.url.startsWith('/interaction/')
    ? interaction(request, response)
    : provider.callback()(request, response);
  answered.catch((error) => {
    console.error(error);
    response.statusCode = 500;
    response.end();
  });
});
http.listen(0, '127.0.0.1', () => {
  const issuer = `http://localhost:${http.address().port}`;
  provider = providerFor(issuer);
  console.log(JSON.stringify({ ready: issuer }));
});
