import type { App } from '../app/app.ts';
import type { Outcome } from '../apply/apply.ts';
import { EXIT_UNCHANGED } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';
import type { Plan } from '../plan/step.ts';

/** Applies a plan that makes or switches a generation, and says in one line what came of it. */
export async function applyAndTell(app: App, name: GuestName, plan: Plan | 'unchanged'): Promise<number> {
  const outcome: Outcome | 'dry-run' =
    plan === 'unchanged' ? { result: 'unchanged', downtimeMs: undefined } : await app.apply(plan);
  if (outcome === 'dry-run') return 0;
  if (outcome.result === 'unchanged') {
    app.streams.out(`${name}: nothing changed\n`);
    return EXIT_UNCHANGED;
  }
  const state = await app.observe(name);
  const newest = state.generations.at(-1)?.number ?? state.current;
  const waiting =
    newest > state.current && plan !== 'unchanged' && !plan.steps.some((step) => step.action === 'swap');
  app.streams.out(
    waiting
      ? `${name}: generation ${newest} is ready; switch to it with: guestree restart ${name}\n`
      : `${name}: now on generation ${state.current}${tellDowntime(outcome)}\n`,
  );
  return 0;
}

function tellDowntime(outcome: Outcome): string {
  if (outcome.downtimeMs === undefined) return '';
  return `, unavailable for ${(outcome.downtimeMs / 1000).toFixed(2)} s`;
}
