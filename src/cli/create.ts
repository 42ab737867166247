import { validateNetworking, parseNetwork, parsePort } from '../model/network.ts';
import { ENGINE_CHOICES, parseEngineChoice } from '../model/engine.ts';
import { parseGuestName, parsePackageName } from '../model/names.ts';
import { parseSource } from '../model/source.ts';
import { planCreate } from '../plan/operations.ts';
import { requireFreeName } from '../app/newguest.ts';
import { requirePrograms } from '../app/privilege.ts';
import type { Verb } from './verb.ts';

export const create: Verb = {
  name: 'create',
  args: '<name>',
  summary: 'make a guest',
  kind: 'changing',
  writesState: true,
  examples: [
    'guestree create mail --from debian:trixie --install postfix --port tcp:25:25',
    'guestree create web --from tar:/srv/images/base.tar.zst --network zone:front',
    'guestree create old --from ostree:debian/bookworm/x86_64 --repo /srv/repo',
  ],
  declare: (command) =>
    void command
      .requiredOption('--from <source>', 'debian:SUITE, dir:PATH, tar:PATH or ostree:REF')
      .option('--install <package...>', 'packages to layer on the base')
      .option('--engine <engine>', `what layers packages: ${ENGINE_CHOICES.join(', ')}`, 'auto')
      .option('--network <network>', 'veth, host, none, bridge:NAME or zone:NAME', 'veth')
      .option('--port <port...>', 'PROTOCOL:HOST:GUEST, for example tcp:25:25')
      .option('--mirror <url>', 'archive for a debian: source')
      .option('--repo <path>', "local repository of an ostree: source; the host's own if left out")
      .option('--remote <name>', 'remote of that repository to pull the ref from first')
      .option('--start', 'start the guest when it is made'),
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    const source = parseSource(args.text('from') ?? '', {
      mirror: args.text('mirror'),
      repo: args.text('repo'),
      remote: args.text('remote'),
    });
    const network = parseNetwork(args.text('network') ?? 'veth');
    const engine = parseEngineChoice(args.text('engine') ?? 'auto');
    const ports = args.list('port').map(parsePort);
    validateNetworking(network, ports);
    const packages = [...new Set(args.list('install').map(parsePackageName))];
    if (source.kind === 'debian') requirePrograms(['mmdebstrap']);
    await app.locked(name, async () => {
      await requireFreeName(app.effects.paths, name);
      const outcome = await app.apply(
        planCreate({ name, source, engine, network, ports }, packages, args.flag('start')),
      );
      if (outcome === 'dry-run') return;
      app.streams.out(
        `${name}: generation 1 made${args.flag('start') ? ' and started' : `. Start it with: machinectl start ${name}`}\n`,
      );
    });
    return undefined;
  },
};
