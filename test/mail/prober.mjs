// Asks an SMTP server for its greeting again and again: node prober.mjs HOST PORT FILE
// Writes one line for each try: milliseconds since 1970 and `ok` or why not. Ends when it is told to.
import { connect } from 'node:net';
import { appendFileSync } from 'node:fs';

const [host, port, file] = process.argv.slice(2);

function ask() {
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    const end = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(2000, () => end('silence'));
    socket.on('error', (error) => end(error.code ?? error.message));
    socket.on('close', () => end('closed'));
    socket.on('data', (data) => end(data.toString().startsWith('220 ') ? 'ok' : 'no greeting'));
  });
}

for (;;) {
  const begun = Date.now();
  appendFileSync(file, `${begun} ${await ask()}\n`);
  await new Promise((resolve) => setTimeout(resolve, 100));
}
