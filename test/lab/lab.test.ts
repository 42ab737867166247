import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command } from './command.ts';
import { cgroupName, labsDirectory } from './disposal.ts';
import { startLab, type Lab } from './lab.ts';

/** Both ends of what is supported: systemd 257 with ostree 2025.2, systemd 252 with ostree 2022.7. */
const suites = ['trixie', 'bookworm'];

describe.each(suites)('the lab, an ostree-booted %s host', (suite) => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await startLab({ suite, bases: [suite] });
  });
  afterAll(() => lab.dispose());

  it('is booted from its deployment', async () => {
    const { stdout } = await lab.run(['ostree', 'admin', 'status']);
    expect(stdout).toMatch(/^\* labhost [0-9a-f]{64}\.0$/m);
    expect(await lab.hostVersion()).toBe(1);
    expect((await lab.run(['systemctl', 'is-system-running'])).stdout).toBe('running\n');
  });

  it('runs commands in units, with input, environment, dollars and exit codes', async () => {
    const script =
      'read line; x=1; echo "$line $GREETING ${x}$$"; cat /proc/self/cgroup; echo oops >&2; exit 7';
    const result = await lab.run(['sh', '-c', script], {
      input: 'hello\n',
      env: { GREETING: 'wor ld' },
      check: false,
    });
    expect(result).toMatchObject({ exitCode: 7, stderr: 'oops\n' });
    expect(result.stdout).toMatch(/^hello wor ld 1\d+\n/);
    expect(result.stdout).toMatch(/^0::\/system.slice\/run-/m);
    await expect(lab.run(['false'])).rejects.toThrow('exit code 1');
    await expect(lab.run(['sleep', '60'], { timeout: 1000 })).rejects.toThrow('exit code');
  });

  it('copies files in and out', async () => {
    await lab.writeFile('/etc/new/place/file', 'öne\n', 0o600);
    expect(await lab.readFile('/etc/new/place/file')).toBe('öne\n');
    expect((await lab.run(['stat', '-c', '%a', '/etc/new/place/file'])).stdout).toBe('600\n');
    await lab.copyIn(import.meta.dirname, '/root/copied');
    expect(await lab.readFile('/root/copied/lab.test.ts')).toBe(await readFile(import.meta.filename, 'utf8'));
    await lab.copyIn(process.execPath, '/root/node');
    expect((await lab.run(['cmp', '/root/node', '/usr/bin/node'])).exitCode).toBe(0);
  });

  it('has a node of its own that guestree can use, and the package mirror', async () => {
    expect((await lab.run(['node', '--version'])).stdout.trim()).toBe(process.version);
    const { stdout } = await lab.run(['apt-get', 'update']);
    expect(stdout).not.toContain('Err:');
  });

  it('runs a machine in its own user namespace, with an address and a way out', async () => {
    await lab.run(['mkdir', '-p', '/var/lib/machines/inner']);
    await lab.run([
      'tar',
      '--extract',
      '--file',
      lab.baseTar(suite),
      '--directory',
      '/var/lib/machines/inner',
    ]);
    await lab.writeFile(
      '/etc/systemd/nspawn/inner.nspawn',
      '[Exec]\nPrivateUsers=pick\nNotifyReady=yes\n[Files]\nPrivateUsersOwnership=map\n[Network]\nVirtualEthernet=yes\n',
    );
    await lab.run(['machinectl', 'start', 'inner']);
    const inside = (argv: string[], check = true) =>
      lab.run(['systemd-run', '--machine=inner', '--wait', '--pipe', '--quiet', ...argv], { check });
    const uidMap = (await inside(['cat', '/proc/self/uid_map'])).stdout.trim().split(/\s+/).map(Number);
    expect(uidMap[1]).toBeGreaterThan(65535);
    await expect
      .poll(async () => (await inside(['ip', '-4', 'address', 'show', 'host0'])).stdout, slowly)
      .toMatch(/inet /);
    await expect
      .poll(
        async () =>
          (await inside(['apt-get', '-o', 'APT::Update::Error-Mode=any', 'update'], false)).exitCode,
        slowly,
      )
      .toBe(0);
    await lab.run(['machinectl', 'poweroff', 'inner']);
    const gone = async () =>
      (await lab.run(['systemctl', 'is-active', 'systemd-nspawn@inner'], { check: false })).stdout;
    await expect.poll(gone, slowly).toBe('inactive\n');
  });

  it('runs systemd-nspawn as a command', async () => {
    const nspawn = ['systemd-nspawn', '--quiet', '--register=no', '--keep-unit', '--settings=no', '--pipe'];
    const { stdout } = await lab.run([
      ...nspawn,
      '--directory=/var/lib/machines/inner',
      'cat',
      '/etc/os-release',
    ]);
    expect(stdout).toContain(`VERSION_CODENAME=${suite}`);
  });

  it('stages an update, finalises it at power-off, and boots it', async () => {
    const before = await lab.hostFingerprint();
    expect(await lab.hostFingerprint()).toEqual(before);
    await lab.stageHostUpdate();
    const staged = await lab.hostFingerprint();
    expect(before.staged).toBeNull();
    expect(staged.staged).toEqual(expect.any(String));
    expect(staged.bootEntries).toEqual(before.bootEntries);
    expect(staged.deployments).toHaveLength(2);
    await lab.reboot();
    expect(await lab.hostVersion()).toBe(2);
    expect(await lab.bootMenu()).toHaveLength(2);
  });

  it('comes up after a power cut with its files and its journal', async () => {
    await lab.run([
      'sh',
      '-c',
      'echo kept >/etc/kept; logger -t guestree-lab "before the cut"; journalctl --sync',
    ]);
    await lab.powerCut();
    expect(await lab.journal(['--identifier=guestree-lab', '--output=cat'])).toBe('before the cut\n');
    await lab.boot();
    expect(await lab.readFile('/etc/kept')).toBe('kept\n');
    expect(await lab.hostVersion()).toBe(2);
  });

  it('rolls the host back; its /etc goes back in time', async () => {
    await lab.rollbackHost();
    expect(await lab.hostVersion()).toBe(1);
    expect((await lab.run(['test', '-e', '/etc/kept'], { check: false })).exitCode).toBe(1);
    expect(await lab.bootMenu()).toHaveLength(1);
  });
});

describe.each(suites)('variants of the lab, %s', (suite) => {
  it('a plain host is not ostree-booted', async () => {
    await using lab = await startLab({ suite, ostree: false });
    expect((await lab.run(['test', '-e', '/run/ostree-booted'], { check: false })).exitCode).toBe(1);
    await lab.writeFile('/usr/x', 'writable\n');
    await lab.reboot();
    expect(await lab.readFile('/usr/x')).toBe('writable\n');
    expect(await lab.hostFingerprint()).toEqual({ bootEntries: {}, staged: null, refs: {}, deployments: [] });
  });

  it('a read-only /sysroot keeps ostree working', async () => {
    await using lab = await startLab({ suite, sysrootReadOnly: true });
    const touched = await lab.run(['touch', '/sysroot/x'], { check: false });
    expect(touched.stderr).toContain('Read-only file system');
    await lab.run(['touch', '/etc/x', '/var/x', '/boot/x']);
    await lab.stageHostUpdate();
    await lab.reboot();
    expect(await lab.hostVersion()).toBe(2);
    expect((await lab.run(['ls', '/etc/x', '/var/x'])).exitCode).toBe(0);
  });

  it('a separate /var is another file system', async () => {
    await using lab = await startLab({ suite, separateVar: true });
    const { stdout } = await lab.run(['stat', '-c', '%d', '/var', '/sysroot']);
    const [ofVar, ofSysroot] = stdout.split('\n');
    expect(ofVar).not.toBe(ofSysroot);
    await lab.writeFile('/var/x', 'stays\n');
    await lab.powerCut();
    await lab.boot();
    expect(await lab.readFile('/var/x')).toBe('stays\n');
  });
});

describe('the end of a lab', () => {
  it('leaves nothing, two at a time', async () => {
    const links = await machineLinks();
    const labs = await Promise.all([startLab({ name: 'one' }), startLab({ name: 'two', separateVar: true })]);
    for (const lab of labs) {
      // What guests leave: the immutable top directory of a deployment in a sysroot of their own.
      const deployment = '/sysroot/guests/x/ostree/deploy/x/deploy/0.0';
      await lab.run(['mkdir', '-p', deployment]);
      await lab.run(['chattr', '+i', deployment]);
      expect((await traces(lab.id)).length).toBeGreaterThan(3);
    }
    expect(await machineLinks()).toBe(links);
    await Promise.all(labs.map((lab) => lab.dispose()));
    for (const lab of labs) expect(await traces(lab.id)).toEqual([]);
  });

  it('leaves nothing when its process is interrupted', async () => {
    const id = await endElsewhere('SIGINT');
    await expect.poll(() => traces(id), slowly).toEqual([]);
  });

  it('leaves only files when its process gets SIGKILL, and the next lab removes them', async () => {
    const id = await endElsewhere('SIGKILL');
    await expect
      .poll(async () => (await traces(id)).filter((line) => !line.includes('/')), slowly)
      .toEqual([]);
    await (await startLab()).dispose();
    expect(await traces(id)).toEqual([]);
  });
});

const slowly = { timeout: 60_000, interval: 200 };

/** Starts a lab in a process of its own and ends that process by a signal. */
async function endElsewhere(signal: NodeJS.Signals): Promise<string> {
  const cli = `${import.meta.dirname}/cli.ts`;
  const child = execa(process.execPath, ['--import', 'tsx', cli, 'start'], { reject: false, buffer: false });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  while (!said.includes(' runs until')) await sleep(50);
  const [id = ''] = said.split(' ');
  expect((await traces(id)).length).toBeGreaterThan(3);
  child.kill(signal);
  await child;
  return id;
}

async function machineLinks(): Promise<string> {
  return (await command(['ip', '-brief', 'link'])).stdout;
}

/** Everything that the machine shows of a lab: processes (as `pid name`), and directories, groups, loops and mounts by path. */
async function traces(id: string): Promise<string[]> {
  const groups = await command(['find', '/sys/fs/cgroup', '-maxdepth', '2', '-name', cgroupName(id)]);
  const loops = await command(['losetup', '--list', '--noheadings', '--output', 'BACK-FILE']);
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  const directories = (await readdir(labsDirectory())).map((name) => `${labsDirectory()}/${name}`);
  const { stdout } = await command(['ps', '-eo', 'pid=,comm=,args=', '-ww']);
  const processes = stdout.split('\n').filter((line) => line.includes(id));
  return [
    ...[groups.stdout, loops.stdout]
      .join('\n')
      .split('\n')
      .concat(mounts, directories)
      .filter((line) => line.includes(id)),
    ...processes.map((line) => line.trim().split(/\s+/).slice(0, 2).join(' ')),
  ];
}
