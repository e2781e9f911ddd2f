import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { compileNativeForArm64 } from './compile.ts';

/** Where an ELF file names its machine, and the number of AArch64: elf(5). */
const elf = { machineOffset: 18, aarch64: 183 } as const;

// The flags of the image's Dockerfile make every warning an error. Nothing here can run the programs.
test("the agent's C programs compile for arm64 without a warning", async () => {
  const paths = await compileNativeForArm64();
  expect(paths.map((path) => basename(path))).toEqual([
    'podcap-spawner',
    'podcap-preload.so',
    'podcap-tap-preload.so',
    'podcap-interface-probe',
  ]);
  for (const path of paths) {
    const content = await readFile(path);
    expect([path, content.readUInt16LE(elf.machineOffset)]).toEqual([path, elf.aarch64]);
  }
});
