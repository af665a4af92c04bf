// testcontainers (without its reaper) against DOCKER_HOST, which has the image busybox. Prints "ok NAME" a line.
const { GenericContainer, Network, Wait } = require('testcontainers');
const assert = require('assert');
const http = require('http');

const get = (host, port) => new Promise((resolve, reject) => http.get({ host, port, path: '/index.html' }, (r) => {
  let text = '';
  r.on('data', (d) => { text += d; });
  r.on('end', () => resolve(text));
}).on('error', reject));

const tests = {
  async log_and_exec() {
    const c = await new GenericContainer('busybox').withCommand(['sh', '-c', 'echo ready; sleep 1000'])
      .withEnvironment({ WHO: 'me' }).withLabels({ x: 'y' }).withWaitStrategy(Wait.forLogMessage('ready')).start();
    const result = await c.exec(['sh', '-c', 'echo $WHO; exit 3']);
    assert.deepStrictEqual([result.output.trim(), result.exitCode], ['me', 3]);
    await c.restart({ timeout: 1 });
    const stream = await c.logs();
    await new Promise((resolve) => stream.on('data', (line) => line.toString().includes('ready') && resolve()));
    stream.destroy();
    await c.stop({ timeout: 1 });
  },
  async ports() {
    const c = await new GenericContainer('busybox').withExposedPorts(8000)
      .withCommand(['sh', '-c', 'mkdir /www; echo served > /www/index.html; exec busybox httpd -f -p 8000 -h /www'])
      .withWaitStrategy(Wait.forListeningPorts()).withStartupTimeout(20000).start();
    let text = '';
    for (let i = 0; i < 20 && !text.includes('served'); i++) text = await get(c.getHost(), c.getMappedPort(8000)).catch(() => '');
    assert.ok(text.includes('served'));
    await c.stop({ timeout: 1 });
  },
  async networks() {
    const n = await new Network().start();
    const a = await new GenericContainer('busybox').withNetwork(n).withNetworkAliases('first').withCommand(['sleep', '1000']).start();
    const b = await new GenericContainer('busybox').withNetwork(n).withCommand(['sleep', '1000']).start();
    assert.strictEqual((await b.exec(['ping', '-c', '1', '-W', '2', 'first'])).exitCode, 0);
    await a.stop({ timeout: 1 }); await b.stop({ timeout: 1 }); await n.stop();
  },
  async files() {
    const c = await new GenericContainer('busybox').withCommand(['sh', '-c', 'cat /in; echo read; sleep 1000'])
      .withCopyContentToContainer([{ content: 'copied\n', target: '/in' }]).withWaitStrategy(Wait.forLogMessage('read')).start();
    assert.ok((await c.exec(['cat', '/in'])).output.includes('copied'));
    await c.stop({ timeout: 1 });
  },
};

(async () => {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error('took more than 20 s')), 20000));
    try { await Promise.race([test(), late]); console.log('ok', name); } catch (e) { failed = 1; console.log('not ok', name, e.message); }
  }
  process.exit(failed);
})();
