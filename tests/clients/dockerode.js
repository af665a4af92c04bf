// dockerode against the engine at SOCKET, which has the image busybox. Prints "ok NAME" a line; ends with 1 when one fails.
const Docker = require('dockerode');
const assert = require('assert');
const { PassThrough } = require('stream');

const docker = new Docker({ socketPath: process.env.SOCKET });
const collect = (stream) => new Promise((resolve, reject) => {
  const parts = [];
  stream.on('data', (d) => parts.push(d));
  stream.on('end', () => resolve(Buffer.concat(parts).toString()));
  stream.on('error', reject);
});
const demux = async (modem, stream) => {
  const out = new PassThrough(), err = new PassThrough(), texts = [collect(out), collect(err)];
  modem.demuxStream(stream, out, err);
  stream.on('end', () => { out.end(); err.end(); });
  stream.on('close', () => { out.end(); err.end(); });
  return Promise.all(texts);
};
const sleeper = async (options = {}) => {
  const c = await docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '1000'], ...options });
  await c.start();
  return c;
};

const tests = {
  async run() {
    const out = new PassThrough(), text = collect(out);
    // it waits only after the start, when one that removes itself may have gone
    const [data, container] = await docker.run('busybox', ['sh', '-c', 'echo hi; exit 2'], out, { Tty: false });
    out.end();
    await container.remove();
    assert.strictEqual(data.StatusCode, 2);
    assert.ok((await text).includes('hi'));
  },
  async life() {
    const c = await sleeper({ name: 'js-life', Labels: { a: 'b' } });
    assert.strictEqual((await c.inspect()).State.Status, 'running');
    assert.strictEqual((await docker.listContainers({ filters: { label: ['a=b'] } })).length, 1);
    await c.pause(); await c.unpause(); await c.rename({ name: 'js-other' });
    await c.restart({ t: 0 });
    const wait = c.wait();
    await c.stop({ t: 0 });
    assert.strictEqual((await wait).StatusCode, 137);
    await assert.rejects(c.stop(), (e) => e.statusCode === 304);
    await c.remove();
    await assert.rejects(c.inspect(), (e) => e.statusCode === 404);
  },
  async logs() {
    const c = await docker.createContainer({ Image: 'busybox', Cmd: ['sh', '-c', 'echo one; echo two >&2'] });
    await c.start(); await c.wait();
    const [out, err] = await demux(c.modem, await c.logs({ stdout: true, stderr: true, follow: true }));
    assert.deepStrictEqual([out, err], ['one\n', 'two\n']);
    assert.ok((await c.logs({ stdout: true })).toString().includes('one'));
  },
  async attach() {
    const c = await docker.createContainer({ Image: 'busybox', Cmd: ['cat'], OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true });
    const stream = await c.attach({ stream: true, stdin: true, stdout: true, hijack: true });
    const texts = demux(c.modem, stream);
    await c.start();
    stream.write('typed\n'); stream.end();
    assert.strictEqual((await texts)[0], 'typed\n');
    assert.strictEqual((await c.wait()).StatusCode, 0);
  },
  async exec() {
    const c = await sleeper();
    const e = await c.exec({ Cmd: ['sh', '-c', 'cat; echo done >&2; exit 4'], AttachStdin: true, AttachStdout: true, AttachStderr: true });
    const stream = await e.start({ hijack: true, stdin: true }), texts = demux(c.modem, stream);
    stream.write('in\n'); stream.end();
    assert.deepStrictEqual(await texts, ['in\n', 'done\n']);
    assert.strictEqual((await e.inspect()).ExitCode, 4);
    const t = await c.exec({ Cmd: ['tty'], AttachStdout: true, Tty: true });
    assert.strictEqual((await collect(await t.start({ Tty: true }))).trim(), '/dev/pts/0');
  },
  async networks() {
    const n = await docker.createNetwork({ Name: 'js-net', CheckDuplicate: true });
    const a = await sleeper({ name: 'js-a', NetworkingConfig: { EndpointsConfig: { 'js-net': { Aliases: ['first'] } } }, HostConfig: { NetworkMode: 'js-net' } });
    const b = await sleeper({ name: 'js-b' });
    await n.connect({ Container: b.id, EndpointConfig: { Aliases: ['second'] } });
    assert.strictEqual(Object.keys((await n.inspect()).Containers).length, 2);
    const e = await b.exec({ Cmd: ['ping', '-c', '1', '-W', '2', 'first'], AttachStdout: true });
    await demux(b.modem, await e.start({}));
    assert.strictEqual((await e.inspect()).ExitCode, 0);
    await n.disconnect({ Container: b.id });
    await a.remove({ force: true });
    await n.remove();
  },
  async events() {
    const stream = await docker.getEvents({ filters: { type: ['container'], event: ['start', 'die'] } });
    const seen = [];
    const both = new Promise((resolve) => stream.on('data', (d) => {
      for (const line of d.toString().trim().split('\n')) seen.push(JSON.parse(line).Action);
      if (seen.length >= 2) resolve();
    }));
    const c = await docker.createContainer({ Image: 'busybox', Cmd: ['true'] });
    await c.start(); await both; stream.destroy();
    assert.deepStrictEqual(seen, ['start', 'die']);
  },
  async volumes_and_images() {
    const v = await docker.createVolume({ Name: 'js-vol' });
    assert.ok((await docker.listVolumes()).Volumes.some((x) => x.Name === 'js-vol'));
    await (v.remove ? v.remove() : docker.getVolume('js-vol').remove());
    assert.ok((await docker.getImage('busybox').inspect()).Id);
    assert.ok((await docker.ping()).toString() === 'OK' && (await docker.version()).ApiVersion && (await docker.info()).ID);
    await assert.rejects(docker.createContainer({ Image: 'js-none' }), (e) => e.statusCode === 404);
  },
};

(async () => {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try { await test(); console.log('ok', name); } catch (e) { failed = 1; console.log('not ok', name, e); }
    for (const c of await docker.listContainers({ all: true })) await docker.getContainer(c.Id).remove({ force: true, v: true });
  }
  process.exit(failed);
})();
