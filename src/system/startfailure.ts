/**
 * Why a unit did not start, as one line made of what was logged about it: the service manager's verdict (`Failed with
 * result 'timeout'`: service_result_to_string() in src/core/service.c), and what the program itself said last.
 */
export function tellStartFailure(log: string): string {
  const lines = log.split('\n').map((line) => line.trim());
  const result = lines.map((line) => /: Failed with result '([a-z-]+)'/.exec(line)?.[1]).findLast(Boolean);
  const own = lines.findLast((line) => line !== '' && !OF_THE_MANAGER.test(line));
  const verdict = result === 'timeout' ? 'it was not ready in time' : 'it ended before it was ready';
  return own === undefined ? verdict : `${verdict} (it said: ${own.slice(0, 300)})`;
}

const OF_THE_MANAGER =
  /^(?:Starting |Started |Stopping |Stopped |Failed to start |\S+\.service: |\[ *(?:OK|DEPEND|INFO) *\])/;
