import { renderTable } from '../app/output.ts';
import { describeGuest } from './status.ts';
import type { Verb } from './verb.ts';

export const list: Verb = {
  name: 'list',
  summary: 'list all guests',
  kind: 'reading',
  examples: ['guestree list', 'guestree list --json'],
  async run(app) {
    const names = await app.guests();
    await app.tellDamage(names);
    const guests = (await app.observeAll(names)).map(describeGuest);
    app.print({ guests }, () =>
      guests.length === 0
        ? 'No guests. Make one with: guestree create NAME --from debian:trixie\n'
        : renderTable(
            app.streams,
            ['NAME', 'STATE', 'GENERATION', 'FROM', 'PACKAGES'],
            guests.map((each) => [
              each.name,
              each.state,
              `${each.generation}${each.pending === undefined ? '' : ` (${each.pending} waits)`}`,
              each.from,
              each.requested.join(' ') || '-',
            ]),
          ),
    );
    return undefined;
  },
};
