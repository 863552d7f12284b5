// Validates FHIR R4 resources with @medplum/core: one JSON line in, one JSON line out, in order, until the input ends.
//
//   node validate.mjs [--profiles FILE.tgz | FOLDER]...
//
// In: a resource, or {"resource": ..., "profiles": ["<canonical url>", ...]}. Out: {"ok", "issues": [{"severity",
// "code", "text", "where", "profile"?}]}. Each resource is held against R4 and against the named profiles; a profile
// that is not loaded is an error. --profiles takes an npm package of FHIR or a folder of StructureDefinitions.
// First line out: {"ready": true, "profiles": N, "unreadable": [urls that the library cannot parse], "loosened": {url:
// [paths whose slices it cannot parse; without them it takes the profile]}}.

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

/** The profile as the library can take it: whole, else without the slices told by a profile, else with no slices but
 * those of extensions; `without` are the paths whose slices were left out. Undefined when none of these can be read. */
function readable(profile) {
  const sliced = profile.snapshot.element.filter((one) => one.slicing && !one.id.includes(':'));
  const byProfile = sliced.filter((one) => one.slicing.discriminator?.some(({ type }) => type === 'profile'));
  const others = sliced.filter((one) => !one.path.endsWith('xtension'));
  for (const left of [[], byProfile, others]) {
    const without = left.map((one) => one.path);
    const loose = without.length > 0 ? withoutSlices(profile, without) : profile;
    try {
      indexStructureDefinitionBundle([loose]);
      return { profile: loose, without };
    } catch {
      // the next has fewer slices
    }
  }
  return undefined;
}

function withoutSlices(profile, paths) {
  const element = profile.snapshot.element
    .filter((one) => !paths.some((path) => one.id.startsWith(`${path}:`)))
    .map(({ slicing, ...one }) => (slicing && !paths.includes(one.id) ? { ...one, slicing } : one));
  return { ...profile, snapshot: { ...profile.snapshot, element } };
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
const unreadable = [];
const loosened = {}; // some profiles slice in ways that the library's parser refuses: all else in them holds
for (const profile of options.profiles.flatMap(profilesIn)) {
  const found = readable(profile);
  if (found) {
    profiles.set(profile.url, found.profile);
    Object.assign(loosened, found.without.length > 0 ? { [profile.url]: found.without } : {});
  } else {
    unreadable.push(profile.url);
  }
}
const about = { ready: true, profiles: profiles.size, unreadable, loosened };
process.stdout.write(`${JSON.stringify(about)}\n`);
for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
  if (line) {
    const issues = verdict(line, profiles);
    const ok = !issues.some((issue) => issue.severity === 'error' || issue.severity === 'fatal');
    process.stdout.write(`${JSON.stringify({ ok, issues })}\n`);
  }
}
