import { defineConfig } from 'vitest/config';

// One project per kind of test, so that `vitest --project unit` needs neither root nor a cluster.
export default defineConfig({
  oxc: { target: 'node24' },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{src,cluster,tools,deploy,bench,soak}/**/*.test.ts'],
          exclude: ['**/*.integration.test.ts', '**/*.faults.test.ts'],
          // No test holds a speed: on a machine that does ten other things a property takes its time.
          testTimeout: 60_000,
        },
      },
      {
        // Real tcpdump, real network namespaces: root.
        extends: true,
        test: {
          name: 'integration',
          include: ['{src,bench}/**/*.integration.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        // The chart and the alert rules, by the real helm and promtool: minutes at the first use, which builds them.
        extends: true,
        test: {
          name: 'deploy',
          include: ['deploy/**/*.integration.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 1_200_000,
        },
      },
      {
        // The whole on the cluster, one file at a time: they share its two Nodes.
        extends: true,
        test: {
          name: 'end-to-end',
          include: ['end-to-end/**/*.test.ts'],
          exclude: ['end-to-end/faults/**'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        // What production does to it, many times over: on this machine, and on the cluster. One file at a time.
        extends: true,
        test: {
          name: 'faults',
          include: ['src/**/*.faults.test.ts', 'end-to-end/faults/**/*.test.ts'],
          testTimeout: 1_200_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
