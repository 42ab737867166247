import type { Verb } from './verb.ts';

export const stop: Verb = {
  name: 'stop',
  args: '<name...>',
  summary: 'shut guests down in order',
  kind: 'changing',
  writesState: true,
  examples: ['guestree stop mail web'],
  async run(app, args) {
    await app.each(args.many(0), async (name) => {
      await app.locked(name, async () => {
        await app.observe(name);
        await app.apply({ operation: 'stop', guest: name, steps: [{ action: 'halt', guest: name }] });
      });
    });
    return undefined;
  },
};
