// Validates FHIR R4 resources with @medplum/core: one JSON line in, one JSON line out, in order, until the input ends.
//
//   node validate.mjs [--profiles FILE.tgz | FOLDER]...
//
// In: a resource, or {"resource": ..., "profiles": ["<canonical url>", ...]}. Out: {"ok", "issues": [{"severity",
// "code", "text", "where", "profile"?}]}. Each resource is held against R4 and against the named profiles; a profile
// that is not loaded is an error. --profiles takes an npm package of FHIR or a folder of StructureDefinitions.
// First line out: {"ready": true, "profiles": N, "unreadable": [urls that the library cannot parse]}.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gunzipSync } from 'node:zlib';
import { parseArgs } from 'node:util';
import { indexStructureDefinitionBundle } from '@medplum/core';
import { loadR4, problemsOf } from './r4.mjs';

const BLOCK = 512;

/** The JSON files of a tar.gz: name and text. Headers are POSIX ustar, with a prefix for long names. */
function* filesOfPackage(path) {
  const tar = gunzipSync(readFileSync(path));
  const text = (from, length) => tar.toString('utf8', from, from + length).split('\0')[0];
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12).trim(), 8);
    const name = [text(at + 345, 155), text(at, 100)].filter(Boolean).join('/');
    if (name.endsWith('.json')) {
      yield [name, tar.toString('utf8', at + BLOCK, at + BLOCK + size)];
    }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
}

function* filesOfFolder(path) {
  for (const name of readdirSync(path).filter((one) => one.endsWith('.json'))) {
    yield [name, readFileSync(join(path, name), 'utf8')];
  }
}

function profilesIn(path) {
  const files = path.endsWith('.tgz') ? filesOfPackage(path) : filesOfFolder(path);
  const found = [];
  for (const [name, text] of files) {
    if (!/StructureDefinition/.test(name) && !/"StructureDefinition"/.test(text.slice(0, 400))) {
      continue;
    }
    const one = JSON.parse(text);
    if (one.resourceType === 'StructureDefinition' && one.snapshot) {
      found.push(one);
    }
  }
  return found;
}

function verdict(line, profiles) {
  let given;
  try {
    given = JSON.parse(line);
  } catch {
    return [{ severity: 'error', code: 'invalid', text: 'Not JSON', where: '' }];
  }
  const resource = given?.resource && !given.resourceType ? given.resource : given;
  if (resource === null || typeof resource !== 'object' || Array.isArray(resource)) {
    return [{ severity: 'error', code: 'invalid', text: 'Not a resource', where: '' }];
  }
  const issues = problemsOf(resource);
  for (const url of given.resource ? (given.profiles ?? []) : []) {
    const profile = profiles.get(url);
    issues.push(
      ...(profile
        ? problemsOf(resource, profile).map((one) => ({ ...one, profile: url }))
        : [{ severity: 'error', code: 'not-found', text: 'Profile is not loaded', where: '', profile: url }]),
    );
  }
  return issues;
}

const { values: options } = parseArgs({ options: { profiles: { type: 'string', multiple: true, default: [] } } });
loadR4();
const profiles = new Map();
const unreadable = new Map(); // some profiles slice in ways that the library's parser refuses
for (const profile of options.profiles.flatMap(profilesIn)) {
  try {
    indexStructureDefinitionBundle([profile]);
    profiles.set(profile.url, profile);
  } catch (error) {
    unreadable.set(profile.url, error.message);
  }
}
const about = { ready: true, profiles: profiles.size, unreadable: [...unreadable.keys()] };
process.stdout.write(`${JSON.stringify(about)}\n`);
for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
  if (line) {
    const issues = verdict(line, profiles);
    const ok = !issues.some((issue) => issue.severity === 'error' || issue.severity === 'fatal');
    process.stdout.write(`${JSON.stringify({ ok, issues })}\n`);
  }
}
