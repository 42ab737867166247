// Opens a connection every so many milliseconds, to one address after the other, and completes a HELO and QUIT on each;
// counts what became of them.
//   node client.mjs STOPFILE INTERVAL ADDRESS:PORT...   until STOPFILE exists; then prints one JSON object
// A connection is `refused` if connect(2) fails, `early` if it ends before the greeting, `late` if after it. What waits is
// told in milliseconds from connect() to the greeting; `gap` is the longest time between two greetings.
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { clearInterval, setInterval } from 'node:timers';

const [stopFile, interval, ...targets] = process.argv.slice(2);
const result = { total: 0, served: 0, refused: 0, early: 0, late: 0, longestWait: 0, gap: 0, errors: [] };
let greeted;
let open = 0;

function visit(target) {
  const at = target.lastIndexOf(':');
  const began = performance.now();
  let text = '';
  let state = 'refused';
  open++;
  result.total++;
  const socket = connect(Number(target.slice(at + 1)), target.slice(0, at));
  socket.setNoDelay(true);
  socket.on('connect', () => (state = 'early'));
  socket.on('data', (data) => {
    text += data.toString();
    const lines = text.split('\r\n').length - 1;
    if (state === 'early' && lines >= 1) {
      state = 'late';
      const now = performance.now();
      result.longestWait = Math.max(result.longestWait, now - began);
      result.gap = Math.max(result.gap, now - (greeted ?? now));
      greeted = now;
      socket.write('HELO client.example\r\n');
    } else if (state === 'late' && lines === 2) socket.write('QUIT\r\n');
    if (state !== 'late' || lines < 3) return;
    if (/^220 .*\r\n250 .*\r\n221 .*\r\n$/.test(text)) state = 'served';
    socket.end();
  });
  socket.on('error', (error) => {
    if (result.errors.length < 10) result.errors.push(`${state}: ${error.message}`);
  });
  socket.on('close', () => {
    open--;
    result[state]++;
  });
}

const timer = setInterval(() => {
  if (!existsSync(stopFile)) return visit(targets[result.total % targets.length]);
  clearInterval(timer);
  const finish = setInterval(() => {
    if (open > 0) return;
    clearInterval(finish);
    console.log(JSON.stringify(result));
  }, 20);
}, Number(interval));
