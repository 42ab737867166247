import type { Command } from 'commander';
import type { App } from '../app/app.ts';

/** What a verb is to the program: how it is declared and what it does. One file per verb exports one of these. */
export interface Verb {
  name: string;
  /** Arguments as commander takes them: `<name> [generation]`. */
  args?: string;
  summary: string;
  /** Lines that `--help` shows below. */
  examples?: readonly string[];
  /** `reading` verbs take --json, `changing` ones --dry-run; `passing` ones hand over to another program. */
  kind: 'reading' | 'changing' | 'passing';
  /** Whether trees are made or files below the state directory written: then it runs in its own mount namespace. */
  writesState?: boolean;
  /** Further options. */
  declare?: (command: Command) => void;
  /** The exit code; 0 if undefined. */
  run(app: App, args: Arguments): Promise<number | undefined>;
}

/** Positional arguments and options as commander gives them. */
export class Arguments {
  readonly #positional: readonly unknown[];
  readonly #options: Readonly<Record<string, unknown>>;

  constructor(positional: readonly unknown[], options: Readonly<Record<string, unknown>>) {
    this.#positional = positional;
    this.#options = options;
  }

  /** A required or optional single argument. */
  one(index: number): string | undefined {
    const value = this.#positional[index];
    return typeof value === 'string' ? value : undefined;
  }

  required(index: number): string {
    const value = this.one(index);
    if (value === undefined) throw new Error(`commander gave no argument ${index}`);
    return value;
  }

  /** A variadic argument. */
  many(index: number): string[] {
    const value = this.#positional[index];
    return Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
  }

  text(option: string): string | undefined {
    const value = this.#options[option];
    return typeof value === 'string' ? value : undefined;
  }

  flag(option: string): boolean {
    return this.#options[option] === true;
  }

  /** commander turns `--no-x` into `x: false`. */
  denied(option: string): boolean {
    return this.#options[option] === false;
  }

  list(option: string): string[] {
    const value = this.#options[option];
    return Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
  }
}
