// The references of the end-to-end benchmark; see endtoend.h.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/pipe.h"
#include "base/text.h"
#include "bench/endtoend.h"
#include "store/db_sqlite.h"

namespace berth::bench {
namespace {

std::string read_to_end(const Fd& pipe) {
    std::string text;
    char buffer[4096];
    while (const auto got = check(::read(pipe.get(), buffer, sizeof buffer), "reading"))
        text.append(buffer, static_cast<std::size_t>(got));
    return text;
}

void reap(pid_t pid) {
    int status = 0;
    check(::waitpid(pid, &status, 0), "waiting for a program");
    if (status != 0) throw std::runtime_error{"a program of the benchmark failed"};
}

struct Place {
    pid_t pid = -1;
    Fd out;
    std::int64_t run = 0;
    std::string line;
    bool ended = false;
};

class BareLoop {
public:
    BareLoop(const Command& command, int in_flight)
        : command_{command}, places_(static_cast<std::size_t>(in_flight)) {
        auto db = SqliteDb::open(folder_.path() / "bare.db", SqliteDb::Access::read_write);
        if (!db) throw std::runtime_error{db.error().message};
        db_ = std::move(*db);
        db_->exec_script(
            "create table runs (id integer primary key, state text not null, line text not null)"
            " strict; create index runs_state on runs (state)");
    }

    void run(int count) {
        int to_begin = count, to_end = count;
        while (to_end > 0) {
            std::vector<Place*> begun;
            Tx tx{*db_, Tx::Mode::write};
            for (Place& place : places_) {
                if (place.ended) {
                    db_->exec("update runs set state = 'ended', line = $2 where id = $1",
                              {place.run, place.line});
                    place = Place{};
                    --to_end;
                }
                if (place.run != 0 || to_begin == 0) continue;
                --to_begin;
                place.run =
                    db_->must("insert into runs (state, line) values ('queued', '') returning id")
                        .integer(0);
                db_->exec("update runs set state = 'running' where id = $1", {place.run});
                begun.push_back(&place);
            }
            tx.commit();
            for (Place* place : begun)
                start(*place);
            if (to_end > 0) await_end();
        }
    }

private:
    void start(Place& place) {
        Pipe out = make_pipe();
        place.pid = spawn(command_, out.write, STDOUT_FILENO);
        place.out = std::move(out.read);
    }

    // At least one, and all that have ended by then.
    void await_end() {
        std::vector<pollfd> waiting;
        std::vector<Place*> of;
        for (Place& place : places_) {
            if (!place.out) continue;
            waiting.push_back({place.out.get(), POLLIN, 0});
            of.push_back(&place);
        }
        if (check(::poll(waiting.data(), waiting.size(), 30'000), "polling") == 0)
            throw std::runtime_error{"a program of the benchmark hangs"};
        for (std::size_t i = 0; i < of.size(); ++i) {
            if (waiting[i].revents == 0) continue;
            of[i]->line = read_to_end(of[i]->out);
            reap(of[i]->pid);
            of[i]->out.reset();
            of[i]->ended = true;
        }
    }

    const Command& command_;
    TempDir folder_{"bare-loop"};
    std::unique_ptr<SqliteDb> db_;
    std::vector<Place> places_;
};

}  // namespace

BareStarts::BareStarts(std::vector<std::string> argv)
    : file_{check(::open((folder_.path() / "page").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600),
                  "making a file")},
      command_{std::move(argv)} {}

OneRun BareStarts::run_once() const {
    static const std::string page(4096, 'p');
    const auto begin = Steady::now();
    check(::pwrite(file_.get(), page.data(), page.size(), 0), "writing");
    check(::fdatasync(file_.get()), "syncing");
    OneRun times{.accepted = Steady::now() - begin};
    Pipe out = make_pipe();
    const pid_t pid = spawn(command_, out.write, STDOUT_FILENO);
    out.write.reset();
    const auto printed = to_number<std::int64_t>(trim(read_to_end(out.read)));
    reap(pid);
    times.ended = Steady::now() - begin;
    if (!printed) throw std::runtime_error{"the program did not print when it began"};
    times.first_byte = std::chrono::nanoseconds{*printed} - begin.time_since_epoch();
    return times;
}

Sustained sustain_bare(const Command& command, int in_flight, int count) {
    BareLoop loop{command, in_flight};
    loop.run(kUncountedRuns);
    const CpuTime before;
    const auto begin = Steady::now();
    loop.run(count);
    const std::chrono::duration<double> took = Steady::now() - begin;
    return {count / took.count(), before.ms_since() / count};
}

}  // namespace berth::bench
