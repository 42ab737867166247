import type { Command } from 'commander';
import { DRAIN_SECONDS, type Definition } from '../model/definition.ts';
import { ENGINE_CHOICES, parseEngineChoice } from '../model/engine.ts';
import { parseListen, validateListens } from '../model/listen.ts';
import { parseNetwork, parsePort, validateNetworking } from '../model/network.ts';
import { DEFAULT_SCHEDULE } from '../model/schedule.ts';
import { parseSource, type Source } from '../model/source.ts';
import { DEFAULT_SWITCHING } from '../model/switching.ts';
import type { Arguments } from './verb.ts';

/** Options that say where a base comes from. */
export function declareSource(command: Command): Command {
  return command
    .requiredOption('--from <source>', 'debian:SUITE, dir:PATH, tar:PATH or ostree:REF')
    .option('--mirror <url>', 'archive for a debian: source')
    .option('--repo <path>', "local repository of an ostree: source; the host's own if left out")
    .option('--remote <name>', 'remote of that repository to pull the ref from first');
}

export function readSource(args: Arguments): Source {
  return parseSource(args.text('from') ?? '', {
    mirror: args.text('mirror'),
    repo: args.text('repo'),
    remote: args.text('remote'),
  });
}

/** Options of a new guest's definition, whatever its source. */
export function declareGuest(command: Command): Command {
  return command
    .option('--engine <engine>', `what layers packages: ${ENGINE_CHOICES.join(', ')}`, 'auto')
    .option('--network <network>', 'veth, host, none, bridge:NAME or zone:NAME', 'veth')
    .option('--port <port...>', 'PROTOCOL:HOST:GUEST, for example tcp:25:25')
    .option('--listen <port...>', 'tcp:HOST:GUEST: a port that stays open while the guest is switched')
    .option('--start', 'start the guest when it is made');
}

export function readGuest(args: Arguments): Omit<Definition, 'name' | 'source'> {
  const network = parseNetwork(args.text('network') ?? 'veth');
  const engine = parseEngineChoice(args.text('engine') ?? 'auto');
  const ports = args.list('port').map(parsePort);
  validateNetworking(network, ports);
  const listens = args.list('listen').map(parseListen);
  validateListens(network, ports, listens);
  return {
    engine,
    network,
    ports,
    listens,
    drainSeconds: DRAIN_SECONDS,
    switching: DEFAULT_SWITCHING,
    checks: [],
    upgrade: DEFAULT_SCHEDULE,
  };
}
