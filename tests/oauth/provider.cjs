// A real OAuth2 server (npm oidc-provider, certified OpenID Provider) for the tests: on a
// loopback port that the kernel chooses, told on the first line of its output. Its grants
// live in a file, so that it can be killed and started again. Line commands on its input
// change how it behaves:
//   ttl SECONDS    of access tokens from now on
//   revoke [N]     every grant, or the last N, as if the customer had taken the consent back
//   refuse on|off  the token endpoint answers 503
//   hold asked     what asks the token endpoint waits, before anything is done
//   hold answered  its answers wait: the old refresh token is used up by then
//   hold off       they go on; whoever has hung up meanwhile has asked nothing
//   count          nothing more
// Each answers `{"granted": n, "refreshed": n, "revoked": n, "asked": n, "held": n, "gone": n,
// "tokens": n}`: how many are held now, of those how many have hung up, and the refresh tokens
// that are good.
'use strict';
const fs = require('fs');
const http = require('http');
const readline = require('readline');

const modules = process.argv[2];
const file = process.argv[3];
const port = Number(process.argv[4] || 0);
const redirect = process.argv[5];
// What oidc-provider has to say goes where nobody waits for an answer.
console.info = console.log = console.warn = console.error;

const state = {
  ttl: 3600, refuse: false, hold: 'off', held: [],
  count: { granted: 0, refreshed: 0, revoked: 0, asked: 0, gone: 0 },
};
let rows = new Map();
try {
  rows = new Map(JSON.parse(fs.readFileSync(file, 'utf8')));
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
}
const save = () => {
  fs.writeFileSync(file + '.new', JSON.stringify([...rows]));
  fs.renameSync(file + '.new', file);
};

// The storage that oidc-provider asks for, in a file written before anything is answered.
class Kept {
  constructor(name) { this.name = name; }
  key(id) { return `${this.name}:${id}`; }
  async upsert(id, payload) { rows.set(this.key(id), payload); save(); }
  async find(id) { return rows.get(this.key(id)); }
  async findByUid(uid) {
    for (const [key, row] of rows) if (key.startsWith('Session:') && row.uid === uid) return row;
    return undefined;
  }
  async findByUserCode() { return undefined; }
  async consume(id) {
    const row = rows.get(this.key(id));
    if (row) row.consumed = Math.floor(Date.now() / 1000);
    save();
  }
  async destroy(id) { rows.delete(this.key(id)); save(); }
  async revokeByGrantId(grant) {
    for (const [key, row] of rows) if (row.grantId === grant) rows.delete(key);
    save();
  }
}

async function main() {
  const { default: Provider } = await import(`${modules}/oidc-provider/lib/index.js`);
  const server = http.createServer();
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    adapter: Kept,
    clients: [
      {
        client_id: 'berth', client_secret: 'a-client-secret-of-the-test',
        redirect_uris: [redirect], response_types: ['code'],
        grant_types: ['authorization_code', 'refresh_token'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
      {
        client_id: 'machine', client_secret: 'a-client-secret-of-the-machine',
        redirect_uris: [], response_types: [], grant_types: ['client_credentials'],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    claims: { openid: ['sub'] },
    scopes: ['openid', 'offline_access', 'orders'],
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
    },
    pkce: { required: () => true, methods: ['S256'] },
    rotateRefreshToken: true,
    issueRefreshToken: async () => true,
    ttl: { AccessToken: () => state.ttl, ClientCredentials: () => state.ttl },
    cookies: { keys: ['only for a test'] },
    findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  });
  provider.on('grant.success', (ctx) => {
    const kind = ctx.oidc.params.grant_type;
    state.count[kind === 'refresh_token' ? 'refreshed' : 'granted'] += 1;
  });
  provider.on('grant.error', (ctx, error) => {
    process.stderr.write(`grant.error ${error.error} ${error.error_description} ${error.error_detail}\n`);
  });
  const handle = provider.callback();
  server.on('request', (request, response) => {
    if (request.url.startsWith('/token') && request.method === 'POST') {
      if (!request.url.startsWith('/token/')) state.count.asked += 1;
      if (state.refuse) {
        response.writeHead(503, { 'retry-after': '1' });
        return response.end();
      }
      if (state.hold !== 'off') request.socket.once('close', () => { state.count.gone += 1; });
      if (state.hold === 'asked')
        return state.held.push(() => { if (!request.socket.destroyed) handle(request, response); });
      if (state.hold === 'answered') {
        const end = response.end;
        response.end = (...rest) => { state.held.push(() => end.apply(response, rest)); };
      }
    }
    if (request.url.startsWith('/token/revocation')) state.count.revoked += 1;
    return handle(request, response);
  });
  process.stdout.write(`${server.address().port}\n`);
  readline.createInterface({ input: process.stdin }).on('line', (line) => {
    const [word, value] = line.split(' ');
    if (word === 'ttl') state.ttl = Number(value);
    if (word === 'refuse') state.refuse = value === 'on';
    if (word === 'hold') {
      state.hold = value;
      if (value === 'off') for (const go of state.held.splice(0)) go();
    }
    if (word === 'revoke') {
      const grants = [...rows.keys()].filter((key) => key.startsWith('Grant:'))
          .slice(value ? -Number(value) : 0).map((key) => key.slice('Grant:'.length));
      for (const [key, row] of [...rows])
        if (grants.includes(row.grantId) || grants.some((id) => key === `Grant:${id}`))
          rows.delete(key);
      save();
    }
    const now = Date.now() / 1000;
    const good = [...rows].filter(([key, row]) =>
      key.startsWith('RefreshToken:') && !row.consumed && !(row.exp < now));
    process.stdout.write(`${JSON.stringify(
      { ...state.count, held: state.held.length, tokens: good.length })}\n`);
  }).on('close', () => process.exit(0));
}
main().catch((error) => { process.stderr.write(`${error.stack}\n`); process.exit(1); });
