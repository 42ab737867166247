import path from 'node:path';
import type { Lab } from '../../lab/lab.ts';
import { markerBase } from '../boundaries.ts';

const REPOSITORY = '/var/tmp/marker';
const BASE_REPO = '/var/tmp/base-repo';
const from = (name: string): string => path.join(import.meta.dirname, '../..', name);

/** Where the guests of a lab get packages and base trees from; both can be made newer. */
export class Supply {
  readonly #lab: Lab;
  /** Options of `create`. */
  source: readonly string[] = [];
  marker = 0;
  base = 0;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Serves packages by a unit that is there after a power cut as well, and makes the base. */
  async open(): Promise<void> {
    await this.#lab.copyIn(from('mail/marker.sh'), '/var/tmp/marker.sh');
    await this.#lab.copyIn(from('lab/serve.mjs'), '/var/tmp/serve.mjs');
    await this.#lab.writeFile(
      '/etc/systemd/system/marker-repository.service',
      `[Service]\nExecStart=/usr/bin/node /var/tmp/serve.mjs ${REPOSITORY} 8481\n[Install]\nWantedBy=multi-user.target\n`,
    );
    await this.publishMarker();
    await this.#lab.run(['systemctl', 'enable', '--now', 'marker-repository.service']);
    this.source = await markerBase(this.#lab);
    await this.publishBase();
  }

  async publishMarker(): Promise<void> {
    this.marker += 1;
    await this.#lab.run(['sh', '/var/tmp/marker.sh', REPOSITORY, `${this.marker}.0`]);
  }

  /** The same base with a file that tells its version. */
  async publishBase(): Promise<void> {
    this.base += 1;
    const script = [
      'set -e',
      'rm -rf /var/tmp/newer',
      'mkdir -p /var/tmp/newer/usr/share/base',
      'echo "$1" >/var/tmp/newer/usr/share/base/version',
      `ostree commit --repo=${BASE_REPO} --branch=base --tree=ref=base --tree=dir=/var/tmp/newer --owner-uid=0 --owner-gid=0`,
    ].join('\n');
    await this.#lab.run(['sh', '-c', script, 'publish', String(this.base)]);
  }
}
