// Stoplight Prism as a server of Twilio's API: it checks every request against the OpenAPI document and answers a
// wrong one with 422 and the reasons, a right one with the document's own example. Nothing of Twilio is written here.
//
//   node prism.mjs OPENAPI.json
//
// Prints {"ready": "http://127.0.0.1:PORT"}; ends on SIGTERM and when its parent goes away. This script adds: a free
// port, that line and the quiet (Prism's own command line lists every operation).

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url); // Prism is CommonJS
const { createLogger } = require('@stoplight/prism-core');
const { getHttpOperationsFromSpec } = require('@stoplight/prism-http');
const { createServer } = require('@stoplight/prism-http-server');

const parent = process.ppid;
setInterval(() => process.ppid === parent || process.exit(0), 500).unref();
process.on('SIGTERM', () => process.exit(0));

const operations = await getHttpOperationsFromSpec(process.argv[2]);
const logger = createLogger('prism', { level: 'silent' });
const config = {
  isProxy: false,
  validateRequest: true,
  validateResponse: false, // the answers are Twilio's own examples, and some break its own schema (relative `uri`)
  checkSecurity: true,
  errors: true, // a fault in the request is the answer, never an example all the same
  mock: { dynamic: false, ignoreExamples: false },
};
const server = createServer(operations, { components: { logger }, config, cors: false });
console.log(JSON.stringify({ ready: await server.listen(0, '127.0.0.1') }));
