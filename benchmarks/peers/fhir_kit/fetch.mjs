// Every search at once (Promise.all), each followed to its last page: fhir-kit-client as its own documentation shows it.
import { Client } from 'fhir-kit-client';

const [base, token, searches] = [process.argv[2], process.argv[3], JSON.parse(process.argv[4])];
const client = new Client({ baseUrl: base, bearerToken: token });

async function all([resourceType, category]) {
  const searchParams = { patient: 'p0', _count: 50, ...(category ? { category } : {}) };
  const found = [];
  let bundle = await client.search({ resourceType, searchParams });
  while (bundle) {
    for (const entry of bundle.entry ?? []) found.push(entry.resource);
    bundle = (bundle.link ?? []).some((link) => link.relation === 'next') ? await client.nextPage({ bundle }) : null;
  }
  return found;
}

const began = performance.now();
const found = (await Promise.all(searches.map(all))).flat();
const seconds = (performance.now() - began) / 1000;
process.stdout.write(JSON.stringify({ seconds, found }));
