import { expect, test } from 'vitest';
import { debianComponent, installedPackages, licensesOf } from './debian.ts';

const status = `Package: tini
Status: install ok installed
Architecture: amd64
Version: 0.19.0-1
Description: tiny init
 Package: not-a-field

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: libstdc++6
Status: install ok installed
Architecture: amd64
Source: gcc-12 (12.2.0-14)
Version: 1:12.2.0-14+deb12u1
`;

test('finds the packages that are installed, and not those that were removed', () => {
  expect(installedPackages(status)).toEqual([
    { name: 'tini', version: '0.19.0-1', architecture: 'amd64', source: undefined },
    { name: 'libstdc++6', version: '1:12.2.0-14+deb12u1', architecture: 'amd64', source: 'gcc-12' },
  ]);
});

test('a package URL has everything that a vulnerability scanner looks for', () => {
  const found = installedPackages(status);
  expect(found.map((item) => debianComponent(item, '12', '').purl)).toEqual([
    'pkg:deb/debian/tini@0.19.0-1?arch=amd64&distro=debian-12',
    'pkg:deb/debian/libstdc%2B%2B6@1%3A12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=gcc-12',
  ]);
});

const format = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n';

test.each([
  ['one license', `${format}\nFiles: *\nLicense: MIT\n text of it\n`, ['MIT']],
  ['each license once', `${format}\nLicense: MIT\n\nLicense: Expat\n\nLicense: MIT\n`, ['Expat', 'MIT']],
  ['a choice', `${format}\nLicense: GPL-2+ or Artistic\n`, ['Artistic', 'GPL-2+']],
  ['several', `${format}\nLicense: ISC, BSD-3-clause, and GPL-3+\n`, ['BSD-3-clause', 'GPL-3+', 'ISC']],
  ['a field of several lines', `${format}\nLicense: ISC and\n X11\n`, ['ISC']],
  [
    'an exception',
    `${format}\nLicense: GPL-2+ with Autoconf exception\n`,
    ['GPL-2+ with Autoconf exception'],
  ],
  [
    'prose',
    'The GPL is in\n/usr/share/common-licenses/GPL-2, or\n/usr/share/common-licenses/LGPL.\n',
    ['GPL-2', 'LGPL'],
  ],
  ['prose without a name', 'License: do what you like\n', []],
  ['nothing', '', []],
])('the licenses of a copyright file: %s', (_what, copyright, licenses) => {
  expect(licensesOf(copyright)).toEqual(licenses);
});
