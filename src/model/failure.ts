/**
 * Every way in which guestree can fail on purpose. A reason is stable and appears in `--json` errors;
 * the exit code is derived from it (docs/architecture.md has the table).
 */
const EXIT_CODES = {
  /** A program that guestree called failed, or something that has no reason of its own. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Something given is not what it must be: a name, a port, a definition, a file. */
  invalid: 3,
  /** There is no such guest, generation, ref or file. */
  'not-found': 4,
  /** It exists already, or is in a state in which this cannot be done. */
  conflict: 5,
  /** Another guestree works on the same guest. */
  locked: 6,
  /** A program, a kernel feature or a privilege is missing. */
  'missing-program': 69,
  'not-root': 76,
  unsupported: 71,
  /** No space, or a read-only file system. */
  storage: 74,
  /** A download failed. */
  network: 75,
  /** The packages cannot be had or do not fit together. */
  packages: 7,
  /** The host's boot entries, refs or staged deployment changed under guestree's hands. */
  guard: 8,
  /** The guest did not start; the host is unharmed. */
  'start-failed': 9,
  /** A new generation failed its preflight or its health checks; the old one runs. */
  unhealthy: 10,
  /** The user stopped it (128 + SIGINT, as shells count). */
  interrupted: 130,
} as const;

export type FailureReason = keyof typeof EXIT_CODES;

/** Nothing had to be done (rpm-ostree uses the same code: `--unchanged-exit-77`). */
export const EXIT_UNCHANGED = 77;

/** The exit code that belongs to a reason. */
export function exitCodeOf(reason: FailureReason): number {
  return EXIT_CODES[reason];
}

/** Something that is nobody's mistake but guestree's (EX_SOFTWARE of sysexits.h). */
export const EXIT_BUG = 70;

export interface FailureDetails {
  /** What to type next; whole sentences or a command line. */
  hint?: string;
  /** The guest that the failure belongs to. */
  guest?: string;
  cause?: unknown;
}

/**
 * A failure that the user is told about: what happened and why in `message`, what to do in `hint`.
 * Anything else that is thrown is a bug and printed as one.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly reason: FailureReason;
  readonly hint: string | undefined;
  readonly guest: string | undefined;

  constructor(reason: FailureReason, message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.hint = details.hint;
    this.guest = details.guest;
  }

  get exitCode(): number {
    return exitCodeOf(this.reason);
  }

  /** The same failure with the guest's name on it. */
  of(guest: string): Failure {
    if (this.guest !== undefined) return this;
    return new Failure(this.reason, this.message, {
      guest,
      cause: this.cause,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
    });
  }
}
