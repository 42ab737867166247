import * as z from 'zod';
import { Failure } from './failure.ts';
import { isCommit, parseGuestName, parsePackageName, type Commit } from './names.ts';
import { isNevra, isSha256, NO_OVERRIDES } from './overrides.ts';

/** What made a generation. */
export const ORIGINS = ['create', 'adopt', 'install', 'uninstall', 'upgrade', 'rebase', 'override'] as const;
export type Origin = (typeof ORIGINS)[number];

const commit = z.custom<Commit>(
  (value) => typeof value === 'string' && isCommit(value),
  'not a commit checksum',
);
const guest = checked(parseGuestName);
const packageName = checked(parsePackageName);

/** A string that one of the `parse…` functions accepts; its failure is told with the place in the record. */
function checked<T extends string>(parse: (value: string) => T): z.ZodType<T> {
  return z.string().transform((value, context): T => {
    try {
      return parse(value);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      context.addIssue(error.message);
      return z.NEVER;
    }
  });
}

/**
 * The record of a generation, `generation.json`. It is written once, before the generation is used, and never
 * changed; what happens to it later is in the guest's event log.
 */
const schema = z.object({
  version: z.literal(1),
  guest,
  number: z.number().int().min(1),
  createdAt: z.iso.datetime(),
  createdBy: z.enum(ORIGINS),
  /** The definition's text at that time. */
  definition: z.string(),
  /** The commit that the packages were layered on. */
  base: commit,
  /** The commit that is deployed. */
  tree: commit,
  /** `CSUM.SERIAL` in the guest's sysroot. */
  deployment: z.string().regex(/^[0-9a-f]{64}\.[0-9]+$/),
  /** When /etc was merged; what changed in the guest's /etc later is merged again at the switch. */
  mergedAt: z.iso.datetime(),
  /** The packages that were asked for, in the order in which they were. */
  requested: z.array(packageName),
  /** What is removed from the base and replaced in it. */
  overrides: z
    .object({
      removed: z.array(packageName),
      replaced: z.array(
        z.object({
          name: packageName,
          nevra: z.string().refine(isNevra, 'not NAME-VERSION-RELEASE.ARCH'),
          sha256: z.string().refine(isSha256, 'not a checksum'),
        }),
      ),
    })
    .default(NO_OVERRIDES),
  engine: z.string(),
});

export type Generation = z.infer<typeof schema>;

export function parseGeneration(text: string, path: string): Generation {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Failure('invalid', `${path} is damaged: it is no JSON`, { cause: error, hint: damaged });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Failure('invalid', `${path} is damaged: ${z.prettifyError(result.error)}`, { hint: damaged });
}

const damaged = 'Choose another generation with: guestree rollback NAME GENERATION';

export function renderGeneration(generation: Generation): string {
  return `${JSON.stringify(generation, null, 2)}\n`;
}
