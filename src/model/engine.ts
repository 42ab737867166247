import { Failure } from './failure.ts';
import { quoted } from './names.ts';

/**
 * What layers packages on a guest's trees: `Engine=` of the definition. `auto` is the package manager of the tree.
 * `rpm-ostree` runs the tree's own rpm-ostree in a machine of its own; `rpm-ostree:host` the host's daemon, inside a
 * guard window (docs/decisions/0007).
 */
export const ENGINE_CHOICES = ['auto', 'apt', 'dnf', 'rpm-ostree', 'rpm-ostree:host'] as const;
export type EngineChoice = (typeof ENGINE_CHOICES)[number];

/** Whether packages of the base can be removed or replaced with this engine. */
export function canOverride(engine: string): boolean {
  return engine === 'rpm-ostree' || engine === 'rpm-ostree:host';
}

export function parseEngineChoice(value: string): EngineChoice {
  const found = ENGINE_CHOICES.find((each) => each === value);
  if (found !== undefined) return found;
  throw new Failure('invalid', `${quoted(value)} is not an engine`, {
    hint: `Use one of: ${ENGINE_CHOICES.join(', ')}.`,
  });
}
