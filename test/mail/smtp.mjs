// A mail over SMTP, spoken by hand so that each answer of the server is seen: node smtp.mjs HOST PORT FROM TO TEXT
// Exits 0 when the server has taken the mail; prints the dialogue. RFC 5321.
import { connect } from 'node:net';

const [host, port, from, to, text] = process.argv.slice(2);
const dialogue = [
  [220, 'EHLO client.example'],
  [250, `MAIL FROM:<${from}>`],
  [250, `RCPT TO:<${to}>`],
  [250, 'DATA'],
  [354, `From: ${from}\r\nTo: ${to}\r\nSubject: ${text}\r\n\r\n${text}\r\n.`],
  [250, 'QUIT'],
  [221, undefined],
];

// As a mail server does, try again while nobody listens: a guest that has just started waits for its address.
const deadline = Date.now() + 20_000;
speak();

function speak() {
  const socket = connect(Number(port), host);
  let pending = '';
  socket.setTimeout(20_000, () => fail('no answer within 20 s'));
  socket.on('error', (error) => {
    if (error.code !== 'ECONNREFUSED' || Date.now() > deadline) fail(error.message);
    setTimeout(speak, 100);
  });
  socket.on('data', (data) => {
    pending += data.toString();
    const lines = pending.split('\r\n');
    pending = lines.pop() ?? '';
    for (const line of lines) answer(socket, line);
  });
}

function answer(socket, line) {
  console.log(`S: ${line}`);
  if (line[3] === '-') return;
  const [code, next] = dialogue.shift() ?? [];
  if (Number(line.slice(0, 3)) !== code) fail(`expected ${code}, got: ${line}`);
  if (next === undefined) process.exit(0);
  console.log(`C: ${next.split('\r\n')[0]}`);
  socket.write(`${next}\r\n`);
}

function fail(reason) {
  console.error(`smtp: ${reason}`);
  process.exit(1);
}
