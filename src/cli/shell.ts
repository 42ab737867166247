import { Failure } from '../model/failure.ts';
import { parseGuestName } from '../model/names.ts';
import type { App } from '../app/app.ts';
import type { GuestName } from '../model/names.ts';
import type { Verb } from './verb.ts';

export const shell: Verb = {
  name: 'shell',
  args: '<name>',
  summary: 'open a shell in a running guest',
  kind: 'passing',
  examples: ['guestree shell mail'],
  async run(app, args) {
    const name = parseGuestName(args.required(0));
    await requireRunning(app, name);
    const { exitCode } = await app.effects.runner.run('machinectl', ['--quiet', 'shell', name], {
      interactive: true,
      allow: 'any',
    });
    return exitCode;
  },
};

export async function requireRunning(app: App, name: GuestName): Promise<void> {
  const state = await app.observe(name);
  if (state.active) return;
  throw new Failure('conflict', 'the guest is not running', {
    guest: name,
    hint: `Start it with: guestree start ${name}`,
  });
}
