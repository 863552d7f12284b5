// The FHIR side of smart_fhir_server.mjs (7 to 9 of its list): charts, and what stands before and behind the router.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { getStatus } from '@medplum/core';
import { MemoryRepository } from '@medplum/fhir-router';
import { problemsOf, resourceTypes } from './r4.mjs';

const LARGEST_PAGE = 100;

function nameOf(patient) {
  const name = patient.name?.[0] ?? {};
  return [...(name.given ?? []), name.family].filter(Boolean).join(' ') || patient.id;
}

/** The charts of a folder of Bundles, by Patient id; ends the process when one cannot be taken. */
export async function loadCharts(folder) {
  const charts = new Map();
  const refused = [];
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json')).sort()) {
    const resources = JSON.parse(readFileSync(join(folder, file), 'utf8')).entry.map((entry) => entry.resource);
    const patients = resources.filter((resource) => resource.resourceType === 'Patient');
    if (patients.length !== 1) {
      refused.push(`${file}: holds ${patients.length} patients, not one`);
      continue;
    }
    const repository = new MemoryRepository();
    await repository.withSeeding(async () => {
      for (const resource of resources) {
        const name = `${file}: ${resource.resourceType}/${resource.id}`;
        const problems = problemsOf(resource).filter((problem) => problem.severity === 'error');
        refused.push(...problems.map((one) => `${name}: ${one.text} (${one.where})`));
        await repository.createResource(resource);
      }
    });
    charts.set(patients[0].id, { repository, name: nameOf(patients[0]), born: patients[0].birthDate ?? '' });
  }
  if (charts.size === 0) {
    refused.push(`${folder} holds no Bundle`);
  }
  if (refused.length > 0) {
    console.error(refused.join('\n'));
    process.exit(3);
  }
  return charts;
}

function may(scope, kind, action) {
  return [...scope].some((word) => {
    const match = /^patient\/(\*|[A-Za-z]+)\.(r|s|rs|read)$/.exec(word);
    return match && (match[1] === '*' || match[1] === kind) && (match[2] === 'read' || match[2].includes(action));
  });
}

function refusal(response, status, code, text) {
  const issue = [{ severity: 'error', code, details: { text } }];
  const headers = status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {};
  return sendFhir(response, status, { resourceType: 'OperationOutcome', issue }, headers);
}

/** One FHIR request: token, scope, router, answer. */
export async function fhir(server, request, response, url) {
  const { provider, router, charts, fhirBase } = server;
  const [, bearer] = /^Bearer ([^ ]+)$/i.exec(request.headers.authorization ?? '') ?? [];
  const token = bearer ? await provider.AccessToken.find(bearer) : undefined;
  const chart = token?.isValid ? charts.get(token.accountId) : undefined;
  if (!chart) {
    return refusal(response, 401, 'login', 'A valid access token is needed');
  }
  const path = url.pathname.slice('/fhir/'.length);
  const [kind, id] = path.split('/');
  if (request.method !== 'GET' || !resourceTypes().includes(kind)) {
    return refusal(response, 404, 'not-found', 'Only reading is offered here');
  }
  if (!may(token.scopes, kind, id ? 'r' : 's')) {
    return refusal(response, 403, 'forbidden', `The granted scope does not cover ${kind}`);
  }
  if (!id) {
    const asked = Number.parseInt(url.searchParams.get('_count') ?? '', 10);
    url.searchParams.set('_count', String(Math.min(asked >= 0 ? asked : LARGEST_PAGE, LARGEST_PAGE)));
  }
  const [outcome, resource] = await router.handleRequest(
    { method: 'GET', url: `${path}${url.search}`, pathname: '', params: {}, query: {}, body: undefined },
    chart.repository,
  );
  const status = getStatus(outcome);
  if (status === 200 && kind === 'Binary' && !/json|\*\/\*/.test(request.headers.accept ?? '*/*')) {
    return send(response, 200, resource.contentType, Buffer.from(resource.data ?? '', 'base64'));
  }
  return sendFhir(response, status, id || status !== 200 ? (resource ?? outcome) : withLinks(resource, url, fhirBase));
}

function withLinks(bundle, url, fhirBase) {
  const address = (offset) => {
    const query = new URLSearchParams(url.search);
    query.set('_offset', String(offset));
    return `${fhirBase}${url.pathname.slice('/fhir'.length)}?${query}`;
  };
  const offset = Number.parseInt(url.searchParams.get('_offset') ?? '0', 10);
  const count = Number.parseInt(url.searchParams.get('_count'), 10);
  const link = [{ relation: 'self', url: address(offset) }];
  if (count > 0 && offset + count < bundle.total) {
    link.push({ relation: 'next', url: address(offset + count) });
  }
  const entry = bundle.entry?.map((one) => ({
    fullUrl: `${fhirBase}/${one.resource.resourceType}/${one.resource.id}`,
    ...one,
  }));
  return { ...bundle, link, entry };
}

/** An answer that nobody keeps. */
export function send(response, status, type, body, headers = {}) {
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store', ...headers }).end(body);
}

function sendFhir(response, status, content, headers) {
  send(response, status, 'application/fhir+json; charset=utf-8', JSON.stringify(content), headers);
}
