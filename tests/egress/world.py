"""The world of the egress tests: it answers on every address that packets reach it
by, and says which ones those were. Started in a network namespace of its own; talks
to the test in lines on stdin and stdout."""
import json, os, socket, ssl, struct, subprocess, sys, threading

folder = sys.argv[1]
lock = threading.Lock()
reached = []      # [address, port] of each connection
asked = {}        # DNS questions by name

NAMES = {
    'allowed.test': [('A', '5.5.5.2')],
    'other.test': [('A', '5.5.6.3')],
    'v6.test': [('AAAA', '2a00:5::2')],
    'both.test': [('A', '5.5.5.2'), ('AAAA', '2a00:5::2')],
    'private.test': [('A', '10.0.0.5')],
    'db.inner.test': [('A', '10.0.0.5')],
    'carrier.test': [('A', '100.64.0.1')],
    'metadata.test': [('A', '169.254.169.254')],
    'loop.test': [('A', '127.0.0.1')],
    'zero.test': [('A', '0.0.0.0')],
    'own.test': [('A', '5.5.5.1')],
    'mixed.test': [('A', '5.5.5.2'), ('A', '10.0.0.5')],
    'loop6.test': [('AAAA', '::1')],
    'mapped.test': [('AAAA', '::ffff:10.0.0.5')],
    'ula.test': [('AAAA', 'fd00:ec2::254')],
    'linklocal.test': [('AAAA', 'fe80::1')],
    'sixtofour.test': [('AAAA', '2002:a9fe:a9fe::1')],
    'nat64.test': [('AAAA', '64:ff9b::a9fe:a9fe')],
}


def records(name, kind):
    with lock:
        asked[name] = asked.get(name, 0) + (kind == 'A')
        turn = asked[name]
    if name.startswith('flip') and name.endswith('.test'):
        # Half of them begin with the public address, half with the other.
        return [('A', '5.5.5.2' if (turn + int(name[4:-5])) % 2 else '169.254.169.254')]
    return NAMES.get(name)


def dns(server):
    while True:
        packet, sender = server.recvfrom(2048)
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += 1 + packet[at]
        kind = struct.unpack('!H', packet[at + 1:at + 3])[0]
        question = packet[12:at + 5]
        kind = {1: 'A', 28: 'AAAA'}.get(kind)
        if labels[0].startswith('silent'):
            continue                 # a name server that never answers
        found = records('.'.join(labels).lower(), kind)
        answers = [value for its, value in found or [] if its == kind]
        flags = 0x8180 if found is not None else 0x8183
        reply = packet[:2] + struct.pack('!HHHHH', flags, 1, len(answers), 0, 0) + question
        for value in answers:
            family = socket.AF_INET if kind == 'A' else socket.AF_INET6
            raw = socket.inet_pton(family, value)
            reply += struct.pack('!HHHIH', 0xc00c, 1 if kind == 'A' else 28, 1, 0, len(raw)) + raw
        server.sendto(reply, sender)


def serve(connection):
    to = connection.getsockname()
    address = to[0].removeprefix('::ffff:')
    with lock:
        reached.append([address, to[1]])
    try:
        if to[1] == 443:
            connection = context.wrap_socket(connection, server_side=True)
        head = b''
        while b'\r\n\r\n' not in head:
            part = connection.recv(65536)
            if not part:
                return
            head += part
        words = head.split(b' ')
        if words[1].startswith(b'/bytes/'):
            left = int(words[1][7:])
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' % left)
            piece = b'x' * 262144
            while left > 0:
                left -= connection.send(piece[:left])
        elif words[1] == b'/wait':
            connection.recv(1)   # until the other end goes
        else:
            body = b'hello from ' + address.encode()
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' % (len(body), body))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    except (OSError, ssl.SSLError):
        pass
    finally:
        connection.close()


def listen(port):
    server = socket.socket(socket.AF_INET6)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(('::', port))
    server.listen(512)
    return server


def accept_all(server):
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()


def ip(*words):
    subprocess.run(['ip', *words], check=True)


print(os.getpid(), flush=True)
sys.stdin.readline()             # our end of the cable is there
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder + '/server.pem')
ip('link', 'set', 'lo', 'up')
ip('link', 'set', 'w0', 'up')
ip('addr', 'add', '5.5.5.2/24', 'dev', 'w0')
ip('addr', 'add', '5.5.5.53/24', 'dev', 'w0')
ip('-6', 'addr', 'add', '2a00:5::2/64', 'dev', 'w0', 'nodad')
# Whatever address somebody dares to connect to leads here, and is told.
ip('route', 'add', 'local', '0.0.0.0/1', 'dev', 'lo', 'table', 'local')
ip('route', 'add', 'local', '128.0.0.0/1', 'dev', 'lo', 'table', 'local')
ip('-6', 'route', 'add', 'local', '::/0', 'dev', 'lo', 'table', 'local')
ip('route', 'add', '5.5.5.1', 'dev', 'w0', 'table', 'local')
ip('-6', 'route', 'add', '2a00:5::1', 'dev', 'w0', 'table', 'local')
resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
resolver.bind(('5.5.5.53', 53))
threading.Thread(target=dns, args=(resolver,), daemon=True).start()
for server in [listen(port) for port in (80, 443, 5432, 8080)]:
    threading.Thread(target=accept_all, args=(server,), daemon=True).start()
print('ready', flush=True)
for line in sys.stdin:
    with lock:
        if line == 'reached\n':
            print(json.dumps(reached), flush=True)
        elif line == 'asked\n':
            print(json.dumps(asked), flush=True)
