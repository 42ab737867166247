import { AsyncLocalStorage } from 'node:async_hooks';
import { Failure } from '../model/failure.ts';
import type { GuestName } from '../model/names.ts';

/** Works on several guests, on some of them at the same time. */
export class Crew {
  readonly #guest = new AsyncLocalStorage<GuestName>();
  #atWork = 0;

  /** The guest that the running code works on, if it works for a crew. */
  get guest(): GuestName | undefined {
    return this.#guest.getStore();
  }

  /** Whether several guests are worked on now: then what is told needs the guest's name, and no line may be overwritten. */
  get crowded(): boolean {
    return this.#atWork > 1;
  }

  /**
   * Does the same for several guests, for at most `jobs` at the same time, and begins with them in their order. A guest
   * that fails does not keep the others from their turn. What is no Failure is a bug: nothing new is begun then, and it
   * is thrown when all that was begun has ended.
   * @returns the failures, each with its guest's name, in the order of the guests
   */
  async each(
    names: readonly GuestName[],
    jobs: number,
    work: (name: GuestName) => Promise<void>,
  ): Promise<Failure[]> {
    const failures = new Map<number, Failure>();
    const bugs: unknown[] = [];
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < names.length && bugs.length === 0) {
        const index = next++;
        const name = names[index];
        if (name === undefined) return;
        this.#atWork++;
        try {
          await this.#guest.run(name, () => work(name));
        } catch (error) {
          if (error instanceof Failure) failures.set(index, error.of(name));
          else bugs.push(error);
        } finally {
          this.#atWork--;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(jobs, names.length) }, worker));
    if (bugs.length > 0) throw bugs[0];
    return [...failures].sort(([a], [b]) => a - b).map(([, failure]) => failure);
  }
}
