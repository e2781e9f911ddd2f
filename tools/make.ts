import { makeCli } from './build-cli.ts';
import { makeExecutables, makeRelease } from './cli-release/release-cli.ts';
import { demo } from './demo.ts';
import { deploy, purge, testPod, undeploy } from './deploy.ts';
import { check, test, testDocker, testFaults } from './run-tests.ts';
import { sbom } from './sbom.ts';
import { tool } from './shell.ts';
import { findTarget, type TargetCluster } from './target.ts';

/** What the targets of the Makefile do. Each returns the exit code. */
const targets: Readonly<Record<string, () => Promise<number>>> = {
  demo,
  cli: makeCli,
  'cli-executables': makeExecutables,
  'cli-release': makeRelease,
  test,
  'test-faults': testFaults,
  'test-docker': testDocker,
  check,
  sbom,
  deploy: () => onTarget(deploy),
  'test-pod': () => onTarget(testPod),
  undeploy: () => onTarget(undeploy),
  purge: () => onTarget(purge),
};

await tool(async () => {
  const target = targets[process.argv[2] ?? ''];
  if (target) return await target();
  process.stderr.write(`usage: node tools/make.ts ${Object.keys(targets).join(' | ')}\n`);
  return 2;
});

/** Does the work on the cluster that the user means, and prints which one that is. */
async function onTarget(work: (target: TargetCluster) => Promise<void>): Promise<number> {
  const target = await findTarget(process.env);
  process.stdout.write(`using ${target.description}\n`);
  await work(target);
  return 0;
}
