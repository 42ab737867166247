import { nameOf, type IdRegistry, type UserFiles } from '../../tree/ids.ts';

/** A sentence for each account that has another number in a tree than the guest knows it by. Pure. */
export function movedAccounts(registry: IdRegistry, tree: Pick<UserFiles, 'passwd' | 'group'>): string[] {
  return [...moved('user', registry.passwd, tree.passwd), ...moved('group', registry.group, tree.group)];
}

function moved(kind: 'user' | 'group', registered: readonly string[], text: string): string[] {
  const numbers = new Map(text.split('\n').map((line) => [nameOf(line), numberOf(line)]));
  return registered.flatMap((line) => {
    const [before, now] = [numberOf(line), numbers.get(nameOf(line))];
    if (now === undefined || now === before) return [];
    return [
      `The ${kind} ${nameOf(line)} had the number ${before ?? '?'} and has ${now} in the new tree: files of it in /var belong to the old number.`,
    ];
  });
}

function numberOf(line: string): string | undefined {
  return line.split(':')[2];
}
