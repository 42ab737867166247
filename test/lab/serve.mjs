// Serves a directory over HTTP on the loopback interface: node serve.mjs DIRECTORY PORT
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, normalize } from 'node:path';

const [directory, port] = process.argv.slice(2);
createServer((request, response) => {
  const path = join(directory, normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname)));
  let size;
  try {
    const found = statSync(path);
    if (!found.isFile()) throw new Error('no file');
    size = found.size;
  } catch {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-length': size });
  createReadStream(path).pipe(response);
}).listen(Number(port), '127.0.0.1');
