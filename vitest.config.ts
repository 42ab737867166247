import { defineConfig } from 'vitest/config';

const minutes = (n: number): number => n * 60_000;

/** The rings of CONTRIBUTING.md: each project is one ring. */
export default defineConfig({
  test: {
    // Labs mostly wait: three workers keep two cores busy.
    maxWorkers: 3,
    projects: [
      // What guestree expects of rpm-ostree; run by `npm run test:rpm-ostree` only, because it can be pointed at a real one.
      ...(process.env['RPM_OSTREE'] === undefined
        ? []
        : [
            {
              test: {
                name: 'contract',
                include: ['test/contract/**/*.test.ts'],
                testTimeout: minutes(5),
                hookTimeout: minutes(8),
              },
            },
          ]),
      // What takes a machine for a long time; run by `npm run test:long` only.
      ...(process.env['LONG_TESTS'] === undefined
        ? []
        : [
            {
              test: {
                name: 'long',
                include: [
                  'test/long/**/*.test.ts',
                  'test/lab/ports.test.ts',
                  'test/integration/sources.test.ts',
                ],
                testTimeout: minutes(15),
                hookTimeout: minutes(8),
              },
            },
          ]),
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: minutes(1) } },
      { test: { name: 'command', include: ['test/command/**/*.test.ts'], testTimeout: minutes(1) } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: minutes(3),
          hookTimeout: minutes(5),
        },
      },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          testTimeout: minutes(5),
          hookTimeout: minutes(8),
        },
      },
      {
        test: {
          name: 'guard',
          include: ['test/guard/**/*.test.ts'],
          testTimeout: minutes(6),
          hookTimeout: minutes(8),
        },
      },
      {
        test: {
          name: 'crash',
          include: ['test/crash/**/*.test.ts'],
          testTimeout: minutes(15),
          hookTimeout: minutes(8),
        },
      },
    ],
  },
});
