import { expect, test } from 'vitest';
import { parseDpkgStatus } from '../../../src/engines/dpkgstatus.ts';

const STATUS = `Package: postfix
Status: install ok installed
Priority: optional
Architecture: amd64
Version: 3.7.11-0+deb12u1
Description: High-performance mail transport agent
 Package: not-a-field
 .
 Version: 0

Package: exim4
Status: deinstall ok config-files
Architecture: all
Version: 4.96-15

Package: man-db
Status: install ok triggers-pending
Architecture: amd64
Version: 2.11.2-2

Package: kept
Status: hold ok installed
Architecture: amd64
Version: 1

Package: broken
Status: install reinstreq half-installed
Architecture: amd64
Version: 1

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9
`;

test('lists what is on the system, and nothing that is removed or half there', () => {
  expect(Object.fromEntries(parseDpkgStatus(STATUS))).toEqual({
    postfix: '3.7.11-0+deb12u1',
    'man-db': '2.11.2-2',
    kept: '1',
    libc6: '2.36-9',
    'libc6:i386': '2.36-9',
  });
});

test('a paragraph without a status, as below status.d, is installed', () => {
  expect(parseDpkgStatus('Package: base-files\nVersion: 12.4\n').get('base-files')).toBe('12.4');
});

test('an empty database has no packages', () => {
  expect(parseDpkgStatus('').size).toBe(0);
});
