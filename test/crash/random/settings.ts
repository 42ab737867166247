import type { CampaignOptions } from './campaign.ts';

/** A seed that was not given. */
export function randomSeed(): number {
  return Math.floor(Math.random() * 1_000_000);
}

/** The kind of host that a seed stands for. */
export function hostOf(seed: number): Pick<CampaignOptions, 'suite' | 'sysrootReadOnly'> {
  return { suite: seed % 2 === 0 ? 'trixie' : 'bookworm', sysrootReadOnly: seed % 4 < 2 };
}

/** The command line that does it again. */
export function repeatLine(seed: number, count: number): string {
  return `npm run test:crash -- --count ${count} --seed ${seed}`;
}
