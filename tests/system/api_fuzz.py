"""Attacks on kegd's API, for security.bats.

    api_fuzz.py SOCKET create [COUNT]   containers whose settings have wrong types and odd values
    api_fuzz.py SOCKET http             malformed HTTP, clients that vanish or say nothing
    api_fuzz.py SOCKET race [COUNT]     50 operations at once on one container

Prints what is wrong; the exit status is 1 then. The seed is fixed."""
import http.client
import json
import random
import socket
import sys
import threading
import time

SOCKET, WHAT = sys.argv[1:3]
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 and sys.argv[3] else 0
RANDOM = random.Random(1)
problems = []


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def request(method, path, body=None):
    """Status and JSON of an answer; what isn't JSON is a problem."""
    connection = Connection('keg', timeout=30)
    headers = {} if body is None else {'Content-Type': 'application/json'}
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    if data and not answer.getheader('Content-Type', '').startswith('application/json'):
        return answer.status, data
    try:
        return answer.status, json.loads(data) if data else None
    except ValueError:
        problems.append(f'{method} {path}: {answer.status}, no JSON: {data[:200]}')
        return answer.status, None


def is_up():
    return request('GET', '/_ping')[0] == 200


# ---- create ----

ODD = [None, True, False, 0, 1, -1, 2**31, 2**32, 2**63 - 1, -2**63, 1e308, 0.5, '', 'x', 'a\0b', '/', '..', '/../..', '\n',
       '%s%n', 'A' * 5000, 'host', 'container:', 'container:x', 'bridge', 'none', 'default', 'sha256:', 'busybox', '-1',
       '99999999999999999999', '1:2:3', '/a:/b:ro', 'a=b', '=', 'FOO', 'on-failure', 'always', 'private', '10.0.0.1', '::1',
       '80/tcp', 'é', '\ud83d\ude00', '/proc/self/fd/7']
KEYS = ['', 'a', 'Name', 'Type', 'Source', 'Target', 'HostPort', 'HostIp', '80/tcp', 'x/y', 'Config', 'Test', 'PathOnHost',
        'Options', 'IPAMConfig', 'bridge', '\n', 'A' * 300]
CONFIG = {'Hostname': 'h', 'Domainname': 'd', 'User': '0', 'AttachStdin': False, 'ExposedPorts': {'80/tcp': {}},
          'Tty': False, 'OpenStdin': False, 'Env': ['A=b'], 'Cmd': ['true'], 'Image': 'busybox', 'Volumes': {'/v': {}},
          'WorkingDir': '/', 'Entrypoint': ['sh'], 'MacAddress': '', 'Labels': {'a': 'b'}, 'StopSignal': 'TERM',
          'StopTimeout': 1, 'Shell': ['sh']}
HOST = {'Binds': ['/tmp:/x'], 'LogConfig': {'Type': 'json-file', 'Config': {'max-size': '1m'}},
        'PortBindings': {'80/tcp': [{'HostIp': '', 'HostPort': '8080'}]},
        'RestartPolicy': {'Name': 'no', 'MaximumRetryCount': 0}, 'AutoRemove': False, 'VolumesFrom': [],
        'ConsoleSize': [24, 80], 'Annotations': {'a': 'b'}, 'CapAdd': ['NET_ADMIN'], 'CapDrop': ['ALL'],
        'CgroupnsMode': 'private', 'Dns': ['1.1.1.1'], 'ExtraHosts': ['a:1.2.3.4'], 'GroupAdd': ['1'], 'IpcMode': 'private',
        'OomScoreAdj': 0, 'PidMode': '', 'Privileged': False, 'ReadonlyRootfs': False,
        'SecurityOpt': ['no-new-privileges'], 'Tmpfs': {'/t': 'size=1m'}, 'UTSMode': '', 'ShmSize': 1000000,
        'Sysctls': {'net.core.somaxconn': '1'}, 'CpuShares': 2, 'Memory': 100000000, 'NanoCpus': 0, 'CgroupParent': '',
        'BlkioWeightDevice': [{'Path': '/dev/x', 'Weight': 100}], 'CpusetCpus': '0',
        'Devices': [{'PathOnHost': '/dev/null', 'PathInContainer': '/dev/x', 'CgroupPermissions': 'rwm'}],
        'DeviceCgroupRules': ['c 1:3 rwm'], 'MemorySwap': 0, 'PidsLimit': 10,
        'Ulimits': [{'Name': 'nofile', 'Hard': 100, 'Soft': 100}], 'Init': False,
        'Mounts': [{'Type': 'volume', 'Source': 'v', 'Target': '/q', 'VolumeOptions': {'NoCopy': True, 'Labels': {}},
                    'BindOptions': {'Propagation': 'rprivate'}, 'TmpfsOptions': {'SizeBytes': 1, 'Mode': 1}}],
        'MaskedPaths': ['/x'], 'ReadonlyPaths': ['/y']}
ENDPOINTS = {'EndpointsConfig': {'none': {'IPAMConfig': {'IPv4Address': '1.2.3.4'}, 'Aliases': ['a'], 'DriverOpts': {}}}}


def odd(depth=0):
    kind = RANDOM.random()
    if kind < .5 or depth > 4:
        return RANDOM.choice(ODD)
    if kind < .75:
        return [odd(depth + 1) for _ in range(RANDOM.choice([0, 1, 2, 20]))]
    return {RANDOM.choice(KEYS): odd(depth + 1) for _ in range(RANDOM.choice([0, 1, 5]))}


def mutate(value, depth=0):
    """A copy with one place, anywhere in it, replaced by something odd."""
    if RANDOM.random() < .3 or not isinstance(value, (dict, list)) or not value:
        return odd(depth)
    copy = value.copy()
    key = RANDOM.choice(list(copy)) if isinstance(copy, dict) else RANDOM.randrange(len(copy))
    copy[key] = mutate(copy[key], depth + 1)
    return copy


def some(settings, share):
    for _ in range(RANDOM.choice([0, 1, 1, 3])):
        key = RANDOM.choice(list(settings))
        settings = {**settings, key: mutate(settings[key])}
    return {key: value for key, value in settings.items() if RANDOM.random() < share}


def odd_container():
    if RANDOM.random() < .02:
        return odd()
    body = some(CONFIG, .5) if RANDOM.random() < .6 else {'Cmd': ['true']}
    return {'Image': 'busybox', **body, 'NetworkingConfig': mutate(ENDPOINTS) if RANDOM.random() < .3 else {},
            'HostConfig': {'NetworkMode': 'none', **some(HOST, .35)} if RANDOM.random() < .97 else odd()}


def create(count):
    created = 0
    for _ in range(count):
        body = odd_container()
        status, answer = request('POST', '/containers/create', body)
        if status not in (201, 400, 404, 409, 501) or not isinstance(answer, dict):
            problems.append(f'{status} {answer}: {json.dumps(body)[:1000]}')
        if status != 201:
            continue
        created += 1
        path = '/containers/' + answer['Id']
        for method, rest in ('GET', '/json'), ('POST', '/start'), ('GET', '/json'), ('DELETE', '?force=1&v=1'):
            status, answer = request(method, path + rest)
            if status >= 500 and rest != '/start':
                problems.append(f'{method} {rest}: {status} {answer}: {json.dumps(body)[:1000]}')
    if created < count // 10:
        problems.append(f'only {created} of {count} were created: the generator is of no use')


# ---- http ----

HEAD = b'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
MALFORMED = [
    b'', b'\0' * 5000, b'\x16\x03\x01\x02\0' * 50, b'GET /_ping\r\n\r\n', b'GET /_ping HTTP/1.0\r\n\r\n',
    HEAD + b'\r\n', HEAD + b'Content-Length: -1\r\n\r\n{}', HEAD + b'Content-Length: 99999999999999999999\r\n\r\n{}',
    HEAD + b'Content-Length: 999999999999\r\n\r\n{}', HEAD + b'Content-Length: 2\r\nContent-Length: 7\r\n\r\n{}',
    HEAD + b'Transfer-Encoding: chunked\r\n\r\nZZ\r\njunk\r\n', HEAD + b'Transfer-Encoding: chunked\r\n\r\n' + b'F' * 20,
    HEAD + b'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    b'GET /_ping HTTP/1.1\r\nHost: x\r\n' + b'X-Y: z\r\n' * 20000 + b'\r\n',
    b'GET /_ping HTTP/1.1\r\nHost: x\r\nX: ' + b'y' * 1000000 + b'\r\n\r\n',
    b'GET /' + b'a' * 100000 + b' HTTP/1.1\r\nHost: x\r\n\r\n',
    b'GET /containers/json?' + b'a=b&' * 20000 + b' HTTP/1.1\r\nHost: x\r\n\r\n',
    b'GET /containers/%00%ff%zz/json HTTP/1.1\r\nHost: x\r\n\r\n', b'GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n' * 500,
]
BODIES = [b'[' * 200000, b'{"a":' * 100000, b'{"Image":' + b'[' * 100000, b'{"Image":"\xff\xfe"}', b'null', b'"x"', b'',
          b'{"Image":"busybox"}x', b'{"Labels":{"a\\u0000":"b"}}', b'{"HostConfig":{"Memory":1e400}}']


def send(data, stay=0.0):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(1)
    client.connect(SOCKET)
    try:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        time.sleep(stay)
        while client.recv(65536):
            pass
    except OSError:
        pass
    client.close()


def hold(data, count):
    clients = []
    for _ in range(count):
        client = socket.socket(socket.AF_UNIX)
        client.connect(SOCKET)
        client.sendall(data)
        clients.append(client)
    return clients


def malformed(_count):
    bodies = [HEAD + b'Content-Length: %d\r\n\r\n' % len(body) + body for body in BODIES]
    for data in MALFORMED + bodies:
        send(data)
        if not is_up():
            problems.append(f'down after {data[:200]}')
            return
    _, answer = request('POST', '/containers/create', {'Image': 'busybox', 'HostConfig': {'NetworkMode': 'none'},
                                                      'Cmd': ['sh', '-c', 'yes | head -c 3000000; sleep 100']})
    path = '/containers/' + answer['Id']
    request('POST', path + '/start')
    upgrade = b' HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'
    name = path.encode()
    held = hold(b'', 250) + hold(b'GET /_ping HTTP/1.1\r\nHo', 250) + hold(b'GET /events HTTP/1.1\r\nHost: x\r\n\r\n', 30)
    held += hold(b'GET ' + name + b'/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n', 30)
    held += hold(b'POST ' + name + b'/attach?stream=1&stdin=1&stdout=1&logs=1' + upgrade, 30)
    held += hold(b'POST ' + name + b'/wait HTTP/1.1\r\nHost: x\r\n\r\n', 30)
    time.sleep(0.5)
    if not is_up():
        problems.append('no answer beside 620 idle clients')
    for client in held:
        client.close()
    status, _ = request('DELETE', path + '?force=1')
    if status != 204:
        problems.append(f'rm: {status}')


# ---- race ----

def race_round(number):
    _, answer = request('POST', '/containers/create?name=race', {'Image': 'busybox', 'Cmd': ['sleep', '1000'], 'HostConfig': {
        'NetworkMode': 'bridge' if number % 2 else 'none', 'AutoRemove': number % 3 == 0}})
    path = '/containers/' + answer['Id']
    execs = {'Cmd': ['true']}

    def execute():
        status, created = request('POST', path + '/exec', execs)
        if status == 201:
            return request('POST', f'/exec/{created["Id"]}/start', {'Detach': True})
        return status, created

    def plain(method, rest):
        return lambda: request(method, path + rest)

    operations = [plain('POST', rest) for rest in
                  ('/start', '/start', '/stop?t=0', '/kill', '/restart?t=0', '/pause', '/unpause', '/rename?name=race2',
                   '/rename?name=race', '/resize?h=10&w=10')]
    operations += [plain('GET', rest) for rest in ('/json', '/top', '/logs?stdout=1', '/changes')] + [execute]

    def one(operation):
        status, answer = operation()
        if status >= 500:
            problems.append(f'{status} {answer}')

    chosen = [RANDOM.choice(operations) for _ in range(50)] + [plain('DELETE', '?force=1')] * (number % 2)
    RANDOM.shuffle(chosen)
    threads = [threading.Thread(target=one, args=[operation]) for operation in chosen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    request('DELETE', path + '?force=1')
    deadline = time.time() + 10
    while request('GET', path + '/json')[0] != 404 and time.time() < deadline:
        time.sleep(0.05)
    if time.time() >= deadline:
        problems.append('not removed')


def race(count):
    for number in range(count):
        race_round(number)


{'create': lambda: create(COUNT or 250), 'http': lambda: malformed(COUNT), 'race': lambda: race(COUNT or 6)}[WHAT]()
if not is_up():
    problems.append('kegd is down')
print('\n'.join(problems[:20]))
sys.exit(bool(problems))
