/**
 * The order of RPM versions, as in rpmvercmp() and rpmverCmp() of rpm (rpmio/rpmvercmp.c, rpmio/rpmver.c): segments of
 * digits are compared as numbers, of letters as text; `~` sorts before everything, even the end, `^` behind the end and
 * before everything else. Other characters only separate.
 */
export function compareRpmVersions(a: string, b: string): number {
  const left = splitVersion(a);
  const right = splitVersion(b);
  return (
    compareSegments(left.epoch, right.epoch) ||
    compareSegments(left.version, right.version) ||
    // A version without a release matches every release of it.
    (left.release === undefined || right.release === undefined
      ? 0
      : compareSegments(left.release, right.release))
  );
}

/** `[EPOCH:]VERSION[-RELEASE]`; no epoch is epoch 0. */
function splitVersion(evr: string): { epoch: string; version: string; release: string | undefined } {
  const [, epoch = '0', rest = ''] = /^(?:([0-9]*):)?(.*)$/s.exec(evr) ?? [];
  const dash = rest.lastIndexOf('-');
  return dash < 0
    ? { epoch, version: rest, release: undefined }
    : { epoch, version: rest.slice(0, dash), release: rest.slice(dash + 1) };
}

/** rpmvercmp(): negative, zero or positive. */
export function compareSegments(a: string, b: string): number {
  if (a === b) return 0;
  const left = a.match(/[0-9]+|[A-Za-z]+|[~^]/g) ?? [];
  const right = b.match(/[0-9]+|[A-Za-z]+|[~^]/g) ?? [];
  for (let index = 0; ; index++) {
    const [mine, other] = [left[index], right[index]];
    if (mine === undefined && other === undefined) return 0;
    if (mine === '~' || other === '~') {
      if (mine !== other) return mine === '~' ? -1 : 1;
    } else if (mine === '^' || other === '^') {
      if (mine === other) continue;
      // Behind the end of the other version, before anything else that could follow.
      if (mine === undefined) return -1;
      if (other === undefined) return 1;
      return mine === '^' ? -1 : 1;
    } else {
      if (mine === undefined) return -1;
      if (other === undefined) return 1;
      const order = compareSegment(mine, other);
      if (order !== 0) return order;
    }
  }
}

/** Digits are newer than letters; numbers of any length are compared without leading zeros. */
function compareSegment(a: string, b: string): number {
  const numeric = /^[0-9]/.test(a);
  if (numeric !== /^[0-9]/.test(b)) return numeric ? 1 : -1;
  const left = numeric ? a.replace(/^0+/, '') : a;
  const right = numeric ? b.replace(/^0+/, '') : b;
  if (numeric && left.length !== right.length) return Math.sign(left.length - right.length);
  return left < right ? -1 : left > right ? 1 : 0;
}
