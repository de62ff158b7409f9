// What scripts are written in runs inside as it does outside: the parts of each that
// lean on the system. No network but the sandbox's own loopback.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;

namespace {

// With a certificate for localhost below /work, as a program inside makes it.
enum class Certificate { none, made };

std::string output_of(const std::vector<std::string>& argv,
                      Certificate certificate = Certificate::none) {
    Launcher launcher;
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.scratch_bytes = 64 << 20;
    Run run;
    run.argv = argv;
    if (certificate == Certificate::made) {
        run.argv = {"/bin/sh", "-c",
                    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                    "-keyout key.pem -out cert.pem -days 2 -subj /CN=localhost "
                    "-addext subjectAltName=DNS:localhost 2>/dev/null && exec \"$@\"",
                    "sh"};
        run.argv.insert(run.argv.end(), argv.begin(), argv.end());
    }
    run.env = {"PATH=/usr/bin:/bin", "HOME=/work", "LANG=C.UTF-8", "TZ=UTC"};
    run.folder = "/work";
    const Ended ended = launcher.run_with(request, run);
    CHECK(ended.err == "");
    REQUIRE(ended.report);
    CHECK(ended.report->wait_status == 0);
    return ended.out;
}

}  // namespace

#define BERTH_NEEDS_PROGRAM(path)                        \
    if (!std::filesystem::exists(path)) {                \
        WARN("skipped: this machine has no '" path "'"); \
        return;                                          \
    }

TEST_CASE("python's system modules work inside", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    BERTH_NEEDS_PROGRAM("/usr/bin/python3");
    CHECK(output_of({"/usr/bin/python3", "-c", R"(
import concurrent.futures, datetime, locale, multiprocessing, os, signal, socket, sqlite3
import subprocess, tempfile, threading, time, zoneinfo
def square(x): return x * x
with concurrent.futures.ThreadPoolExecutor(4) as pool: print('threads', sum(pool.map(square, range(10))))
with multiprocessing.Pool(2) as pool: print('processes', sum(pool.map(square, range(10))))
print('zone', datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin')).utcoffset())
print('shell', subprocess.check_output('echo a b | wc -w', shell=True, text=True).strip())
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'db'); db = sqlite3.connect(path)
    db.execute('create table t(x)'); db.execute('insert into t values (5)'); db.commit()
    print('sqlite', sqlite3.connect(path).execute('select x from t').fetchone()[0])
got = []
signal.signal(signal.SIGALRM, lambda *_: got.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.01)
while not got: signal.pause()
print('alarm', len(got))
locale.setlocale(locale.LC_ALL, ''); print('locale', locale.getlocale()[1], 'ä€'.encode())
a, b = socket.socketpair(); a.send(b'x'); print('pair', b.recv(1))
pid = os.fork()
if pid == 0: os.execv('/bin/sh', ['sh', '-c', 'exit 6'])
print('exec', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print('random', len(os.urandom(8)), 'user', os.getlogin() if False else __import__('pwd').getpwuid(os.getuid()).pw_name)
)"}) == "threads 285\nprocesses 285\nzone 2:00:00\nshell 2\nsqlite 5\nalarm 1\n"
        "locale UTF-8 b'\\xc3\\xa4\\xe2\\x82\\xac'\npair b'x'\nexec 6\nrandom 8 user script\n");
}

TEST_CASE("python speaks TLS to a server of its own and checks its certificate", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    BERTH_NEEDS_PROGRAM("/usr/bin/python3");
    BERTH_NEEDS_PROGRAM("/usr/bin/openssl");
    CHECK(output_of({"/usr/bin/python3", "-c", R"(
import http.server, ssl, threading, urllib.request
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(b'hello')
    def log_message(self, *_): pass
class Quiet(http.server.HTTPServer):
    def handle_error(self, *_): pass
server = Quiet(('localhost', 0), Hello)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain('cert.pem', 'key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f'https://localhost:{server.server_port}/'
print(urllib.request.urlopen(url, context=ssl.create_default_context(cafile='cert.pem')).read())
try: urllib.request.urlopen(url)
except urllib.error.URLError as e: print(type(e.reason).__name__)
print(len(ssl.create_default_context().get_ca_certs()) > 50)
)"},
                    Certificate::made) == "b'hello'\nSSLCertVerificationError\nTrue\n");
}

TEST_CASE("node's workers, files, zones and TLS work inside", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    BERTH_NEEDS_PROGRAM("/usr/bin/node");
    BERTH_NEEDS_PROGRAM("/usr/bin/openssl");
    CHECK(output_of({"/usr/bin/node", "-e", R"(
const { Worker } = require('worker_threads'), fs = require('fs'), https = require('https');
const { execFileSync } = require('child_process'), zlib = require('zlib'), os = require('os');
(async () => {
  const square = x => new Promise(done => new Worker(
    `require('worker_threads').parentPort.postMessage(${x} * ${x})`, { eval: true }).on('message', done));
  console.log('workers', (await Promise.all([1, 2, 3].map(square))).join());
  const folder = fs.mkdtempSync(os.tmpdir() + '/x-');
  fs.writeFileSync(folder + '/f', zlib.gzipSync('text'));
  console.log('file', zlib.gunzipSync(await fs.promises.readFile(folder + '/f')).toString());
  console.log('zone', new Date(Date.UTC(2024, 6, 1)).toLocaleString('de-DE', { timeZone: 'Asia/Tokyo' }));
  console.log('child', execFileSync('/bin/sh', ['-c', 'echo $((6*7))']).toString().trim());
  console.log('wasm', new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])) instanceof WebAssembly.Module);
  const cert = fs.readFileSync('cert.pem'), key = fs.readFileSync('key.pem');
  const server = https.createServer({ cert, key }, (q, a) => a.end('hello')).listen(0, 'localhost', () => {
    const port = server.address().port;
    const get = options => new Promise(done => https.get({ host: 'localhost', port, agent: false, ...options },
      answer => answer.on('data', d => done(d.toString()))).on('error', e => done(e.code)));
    get({ ca: cert }).then(text => { console.log('tls', text); return get({}); })
      .then(code => { console.log('unknown', code); server.close(); });
  });
})();
)"},
                    Certificate::made) ==
          "workers 1,4,9\nfile text\nzone 1.7.2024, 09:00:00\nchild 42\nwasm true\ntls hello\n"
          "unknown DEPTH_ZERO_SELF_SIGNED_CERT\n");
}

TEST_CASE("node's fetch reaches a server in the same run", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    BERTH_NEEDS_PROGRAM("/usr/bin/node");
    CHECK(output_of({"/usr/bin/node", "-e", R"(
const server = require('http').createServer((q, a) => a.end('hello')).listen(0, '127.0.0.1', async () => {
  console.log(await (await fetch(`http://127.0.0.1:${server.address().port}/`)).text()); server.close();
  server.closeAllConnections();
});
)"}) == "hello\n");
}

TEST_CASE("perl forks, pipes, sleeps by alarm and knows the time", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    BERTH_NEEDS_PROGRAM("/usr/bin/perl");
    CHECK(output_of({"/usr/bin/perl", "-e", R"(
$| = 1;
pipe(my $r, my $w); my $pid = fork();
if (!$pid) { print $w "child\n"; exit 4 } close $w; print scalar <$r>; waitpid($pid, 0); print $? >> 8, "\n";
local $SIG{ALRM} = sub { print "alarm\n" }; alarm 1; select(undef, undef, undef, 5);
use POSIX; $ENV{TZ} = 'America/New_York'; POSIX::tzset(); print strftime("%H %Z\n", localtime(1720000000));
print join(',', sort { $a <=> $b } map { $_ * 2 } 3, 1, 2), "\n";
)"}) == "child\n4\nalarm\n05 EDT\n2,4,6\n");
}

TEST_CASE("a shell's pipes, jobs, traps and here-documents work", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    CHECK(output_of({"/bin/sh", "-c", R"(
seq 1 1000 | sort -rn | head -n 1
trap 'echo bye' EXIT; (exit 3) & wait $! ; echo "job $?"
cat <<END | tr a-z A-Z
here
END
mkfifo f; echo through >f & cat f; x=$(mktemp) && echo y >"$x" && cat "$x"
awk 'BEGIN { printf "%.2f\n", 22/7 }'; date -d @0 +%Y; printf 'a\nb\n' | xargs -P 2 -n 1 echo | sort
)"}) == "1000\njob 3\nHERE\nthrough\ny\n3.14\n1970\na\nb\nbye\n");
}

TEST_CASE("a static program runs, with threads, children and signals", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    std::filesystem::copy_file(BERTH_BINARY_DIR "/bin/sandbox_static",
                               launcher.release_path("probe/static"));
    Run run;
    run.argv = {"/app/static"};
    CHECK(launcher.run(run).out == "signal 1 thread 1 child 7\n");
}

// The other sandboxes that the bench compares with bring one.
TEST_CASE("a program in Go runs and writes a file", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    BERTH_NEEDS_PROGRAM("/usr/sbin/runc");
    CHECK(output_of({"/bin/sh", "-c", "/usr/sbin/runc spec && grep -c ociVersion config.json"}) ==
          "1\n");
}
