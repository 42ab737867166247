import { parseGuestName, parsePackageName } from '../model/names.ts';
import { planCreate } from '../plan/operations.ts';
import { requireFreeName } from '../app/newguest.ts';
import { requirePrograms } from '../app/privilege.ts';
import { declareGuest, declareSource, readGuest, readSource } from './guestoptions.ts';
import type { Verb } from './verb.ts';

export const create: Verb = {
  name: 'create',
  args: '<name>',
  summary: 'make a guest',
  kind: 'changing',
  writesState: true,
  examples: [
    'guestree create mail --from debian:trixie --install postfix --listen tcp:25',
    'guestree create web --from tar:/srv/images/base.tar.zst --network zone:front',
    'guestree create old --from ostree:debian/bookworm/x86_64 --repo /srv/repo',
  ],
  declare: (command) =>
    void declareGuest(declareSource(command)).option(
      '--install <package...>',
      'packages to layer on the base',
    ),
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    const source = readSource(args);
    const guest = readGuest(args);
    const packages = [...new Set(args.list('install').map(parsePackageName))];
    if (source.kind === 'debian') requirePrograms(['mmdebstrap']);
    if (guest.listens.length > 0) requirePrograms(['ip']);
    await app.locked(name, async () => {
      await requireFreeName(app.effects.paths, name);
      const outcome = await app.apply(planCreate({ name, source, ...guest }, packages, args.flag('start')));
      if (outcome === 'dry-run') return;
      app.streams.out(
        `${name}: generation 1 made${args.flag('start') ? ' and started' : `. Start it with: machinectl start ${name}`}\n`,
      );
    });
    return undefined;
  },
};
