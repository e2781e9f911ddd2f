import { defineConfig } from 'vitest/config';

// One project for each kind of test, so that `vitest --project unit` needs neither root nor a cluster.
export default defineConfig({
  oxc: { target: 'node24' },
  test: {
    // Every project inherits it.
    setupFiles: ['tools/mark-known-failures.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{src,cluster,tools,deploy,bench,soak}/**/*.test.ts'],
          exclude: ['**/*.integration.test.ts', '**/*.faults.test.ts'],
          // No test measures speed, but a property-based test takes its time on a busy machine.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        // Real tcpdump in real network namespaces: needs root.
        extends: true,
        test: {
          name: 'integration',
          include: ['{src,bench}/**/*.integration.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        // The chart, the alert rules and the packages of kubectl podcap, with real helm, promtool, npm and krew. The first
        // run builds or fetches them, which takes minutes.
        extends: true,
        test: {
          name: 'deploy',
          include: ['{deploy,tools}/**/*.integration.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 1_200_000,
        },
      },
      {
        // Everything together, on the cluster. One file at a time, because they share its two Nodes.
        extends: true,
        test: {
          name: 'end-to-end',
          include: ['end-to-end/**/*.test.ts'],
          exclude: ['end-to-end/{docker,faults}/**'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        // The image that a real Docker engine builds, on the cluster.
        extends: true,
        test: {
          name: 'docker',
          include: ['end-to-end/docker/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        // What fails in production, many times, on this machine and on the cluster. One file at a time.
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
