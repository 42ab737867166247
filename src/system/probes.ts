/**
 * A connection or a request, made by this same Node.js in another network namespace: neither needs a program that a host
 * might not have. Prints why it failed.
 */
const SCRIPT = `
const [kind, target] = process.argv.slice(1);
const fail = (error) => { console.error(error?.cause?.message ?? error?.message ?? String(error)); process.exit(1); };
if (kind === 'tcp') {
  const socket = require('node:net').connect({ port: Number(target), host: 'localhost' });
  socket.on('connect', () => process.exit(0));
  socket.on('error', (error) => fail(error.errors?.[0] ?? error));
} else {
  fetch(target, { redirect: 'manual' }).then(({ status }) => status < 400 ? process.exit(0) : fail('status ' + status), fail);
}
`;

/** argv of a probe; it ends with 0 if the port accepts a connection or the URL answers with a status below 400. */
export function probeArgv(kind: 'tcp' | 'http', target: string): string[] {
  return [process.execPath, '-e', SCRIPT, kind, target];
}
