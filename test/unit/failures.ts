import { Failure } from '../../src/model/failure.ts';

/** The failure that a call ends with. That nothing is refused, or that something else is thrown, fails the test. */
export function failureOf(call: () => unknown): Failure {
  try {
    call();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** The same for what ends later. */
export async function failureOfLater(promise: Promise<unknown>): Promise<Failure> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** What a call gives, or undefined if it is refused. */
export function unlessRefused<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}
