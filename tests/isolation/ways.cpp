#include "tests/isolation/ways.h"

#include <csignal>

namespace berth {
namespace {

using ipc::EndKind;

bool exited(const ipc::Ended& ended, int code) {
    return ended.kind == EndKind::exited && ended.number == code;
}
bool by_signal(const ipc::Ended& ended, int signo) {
    return ended.kind == EndKind::signalled && ended.number == signo;
}
bool failed(const ipc::Ended& ended) { return ended.kind == EndKind::setup_failed; }

// By bash, which opens such a path as a connection. The kernel makes it for berth-egress,
// which refuses the address.
ipc::Start connected(const RealPrograms& berth, std::int64_t run, const std::string& then) {
    auto start = berth.script(run, "");
    start.argv = {"/bin/bash", "-c", "exec 3<>/dev/tcp/10.0.0.5/80; " + then};
    start.network = static_cast<std::uint32_t>(ipc::Network::egress);
    return start;
}

const Way kWays[] = {
    {"ends at once", 30,
     [](const RealPrograms& berth, std::int64_t run) {
         auto start = berth.script(run, "");
         start.argv = {"/bin/true"};
         return start;
     },
     [](const ipc::Ended& e) { return exited(e, 0); }},
    {"fails", 15, [](const RealPrograms& b, std::int64_t run) { return b.script(run, "exit 3"); },
     [](const ipc::Ended& e) { return exited(e, 3); }},
    {"crashes", 15,
     [](const RealPrograms& b, std::int64_t run) { return b.script(run, "kill -SEGV $$"); },
     [](const ipc::Ended& e) { return by_signal(e, SIGSEGV); }},
    {"kills itself", 8,
     [](const RealPrograms& b, std::int64_t run) { return b.script(run, "kill -KILL $$"); },
     [](const ipc::Ended& e) { return by_signal(e, SIGKILL); }},
    {"floods its output", 8,
     [](const RealPrograms& b, std::int64_t run) {
         return b.script(run, "head -c 300000 /dev/zero; echo; echo '{}'");
     },
     [](const ipc::Ended& e) { return exited(e, 0); }},
    {"leaves processes behind", 8,
     [](const RealPrograms& b, std::int64_t run) {
         return b.script(run, "for i in 1 2 3; do (trap '' TERM HUP; setsid sleep 1000) & done");
     },
     [](const ipc::Ended& e) { return exited(e, 0); }},
    {"forks without end", 1,
     [](const RealPrograms& b, std::int64_t run) {
         return b.script(run, "while :; do sleep 1000 & done");
     },
     [](const ipc::Ended& e) { return e.kind == EndKind::exited && e.number != 0; }},
    {"hangs", 1,
     [](const RealPrograms& b, std::int64_t run) {
         auto start = b.script(run, "exec sleep 1000");
         start.wall_time_s = 1;
         return start;
     },
     [](const ipc::Ended& e) { return e.kind == EndKind::timed_out; }},
    {"stops itself", 1,
     [](const RealPrograms& b, std::int64_t run) {
         auto start = b.script(run, "kill -STOP $$");
         start.wall_time_s = 1;
         return start;
     },
     [](const ipc::Ended& e) { return e.kind == EndKind::timed_out; }},
    {"is cancelled", 6,
     [](const RealPrograms& b, std::int64_t run) { return b.script(run, "exec sleep 1000"); },
     [](const ipc::Ended& e) { return e.kind == EndKind::cancelled; }, true},
    {"is refused by berth-egress", 12,
     [](const RealPrograms& b, std::int64_t run) { return connected(b, run, "read -u 3; exit 5"); },
     [](const ipc::Ended& e) { return exited(e, 5); }},
    {"is cancelled with a connection open", 4,
     [](const RealPrograms& b, std::int64_t run) { return connected(b, run, "exec sleep 1000"); },
     [](const ipc::Ended& e) { return e.kind == EndKind::cancelled; }, true},
    {"has no program", 4,
     [](const RealPrograms& b, std::int64_t run) {
         auto start = b.script(run, "");
         start.argv = {"/app/no-such-program"};
         return start;
     },
     failed},
    {"has no release", 4,
     [](const RealPrograms& b, std::int64_t run) {
         auto start = b.script(run, "");
         start.release = "no-such-release";
         return start;
     },
     failed},
};

}  // namespace

const Way& any_way(std::mt19937_64& random) {
    std::size_t all = 0;
    for (const Way& way : kWays)
        all += way.weight;
    std::size_t at = test::below(random, all);
    for (const Way& way : kWays) {
        if (at < way.weight) return way;
        at -= way.weight;
    }
    return kWays[0];
}

}  // namespace berth
