import { expect, test } from 'vitest';
import { parseUnitNames } from '../../../src/system/inside.ts';

/** `systemctl list-units --state=failed --plain --no-legend --full --no-pager` in a guest, systemd 257. */
const RECORDED = `postfix@-.service                  loaded failed failed Postfix Mail Transport Agent (instance -)
systemd-networkd-wait-online.service loaded failed failed Wait for Network to be Configured
`;

test('failed units are read by their names', () => {
  expect(parseUnitNames(RECORDED)).toEqual(['postfix@-.service', 'systemd-networkd-wait-online.service']);
  expect(parseUnitNames('')).toEqual([]);
});
