import { expect, test } from 'vitest';
import { parseFilterProblem } from './filter-problem.ts';

const notInKernel = 'the kernel cannot run it, and without the kernel packets would be lost';

test.each([
  ['podcap: filter takes too long to compile', 'it takes too long to compile'],
  [
    'podcap: filter not compiled for RAW (Raw IP): no VLAN support for Raw IP',
    'the interface has the link type RAW (Raw IP): no VLAN support for Raw IP',
  ],
  [
    'podcap: filter not compiled for EN10MB (Ethernet): syntax error (near): x',
    'the interface has the link type EN10MB (Ethernet): syntax error (near): x',
  ],
  [
    'podcap: filter of 24 instructions with a loop not in the kernel: EINVAL',
    `${notInKernel}: it has a loop, as protochain does`,
  ],
  [
    'podcap: filter of 4097 instructions not in the kernel: EINVAL',
    `${notInKernel}: it compiles to 4097 instructions, and at most 4096 are allowed`,
  ],
  [
    'podcap: filter of 4096 instructions not in the kernel: ENOMEM',
    `${notInKernel}: it compiles to 4096 instructions, for which net.core.optmem_max does not allow enough memory`,
  ],
  [
    'podcap: filter of 4 instructions not in the kernel: EOPNOTSUPP',
    `${notInKernel}: it reads a part of the link-layer header that this interface does not have`,
  ],
  ['podcap: filter of 4 instructions not in the kernel: EPERM', `${notInKernel}: EPERM`],
  ['podcap: filter of 4 instructions not in the kernel: EPERM and more', undefined],
  ['tcpdump: no VLAN support for Raw IP', undefined],
])('%j means: %s', (line, problem) => {
  expect(parseFilterProblem(line)).toBe(problem);
});
