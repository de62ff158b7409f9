// This program's operator new is below: it counts, and fails when its time has come.
#include "tests/daemon/starved.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <new>
#include <thread>

#include "base/loop/stream.h"
#include "base/out_of_memory.h"
#include "daemon/app.h"
#include "daemon/supervisor.h"
#include "store/db_sqlite.h"
#include "tests/faults/model.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace {

struct Counts {
    std::atomic<std::int64_t> left;  // until one fails, which makes it 0; below: none does
    std::atomic<std::int64_t> made;
};
Counts* counts = nullptr;  // in the child only

bool is_the_one() {
    if (counts == nullptr) return false;
    counts->made.fetch_add(1, std::memory_order_relaxed);
    return counts->left.fetch_sub(1) == 1;
}

void* take(std::size_t size, std::size_t alignment) {
    const std::size_t asked = std::max<std::size_t>(size, 1);
    void* memory = nullptr;
    if (!is_the_one())
        memory = alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__
                     ? std::malloc(asked)
                     : std::aligned_alloc(alignment, (asked + alignment - 1) & ~(alignment - 1));
    if (memory != nullptr) return memory;
    if (const auto handler = std::get_new_handler()) handler();  // never returns
    throw std::bad_alloc{};
}

constexpr std::size_t kUsual = __STDCPP_DEFAULT_NEW_ALIGNMENT__;
std::size_t number(std::align_val_t alignment) { return static_cast<std::size_t>(alignment); }

void* try_to_take(std::size_t size, std::size_t alignment) noexcept {
    try {
        return take(size, alignment);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

}  // namespace

using std::align_val_t;
using std::nothrow_t;
using std::size_t;
void* operator new(size_t n) { return take(n, kUsual); }
void* operator new[](size_t n) { return take(n, kUsual); }
void* operator new(size_t n, align_val_t a) { return take(n, number(a)); }
void* operator new[](size_t n, align_val_t a) { return take(n, number(a)); }
void* operator new(size_t n, const nothrow_t&) noexcept { return try_to_take(n, kUsual); }
void* operator new[](size_t n, const nothrow_t&) noexcept { return try_to_take(n, kUsual); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t, align_val_t) noexcept { std::free(p); }
void operator delete(void* p, const nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const nothrow_t&) noexcept { std::free(p); }

namespace berth::test {

using namespace std::chrono_literals;

struct Starved::Page : Counts {};

Starved::Starved() {
    void* memory = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                          /*fd=*/-1, 0);
    REQUIRE(memory != MAP_FAILED);
    page_ = new (memory) Page{};
    std::ofstream{root() / "berth.conf"} << "state_dir = " << (root() / "state").string()
                                         << "\nrun_dir = " << (root() / "run").string()
                                         << "\npublic_url = https://berth.example.com\n";
}

Starved::~Starved() {
    kill();
    ::munmap(page_, sizeof(Page));
}

void Starved::fail_at(std::int64_t n) {
    page_->made = 0;
    page_->left = n;
}

bool Starved::met() const { return page_->left <= 0; }
bool Starved::enough() { return page_->left.exchange(0) <= 0; }
std::int64_t Starved::allocations() const { return page_->made; }

void Starved::launch() {
    REQUIRE(pid_ < 0);
    pid_ = ::fork();  // nobody has threads here, and the store is not open
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) live();
}

void Starved::live() const {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const int signo : {SIGABRT, SIGTERM, SIGINT, SIGSEGV, SIGFPE, SIGILL})
        ::signal(signo, SIG_DFL);  // the test's framework has handlers
    const int out = ::open((root() / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, STDERR_FILENO);
    end_when_out_of_memory("berthd");
    counts = page_;
    int code = 1;
    try {
        auto config = load_config(root() / "berth.conf");
        if (!config) throw std::runtime_error{config.error().message};
        prepare_folders(*config, choose_ids(*config));
        App::Sockets sockets{std::move(*Listener::bind(config->control_socket(), 0600)),
                             std::move(*Listener::bind(config->public_socket(), 0600))};
        auto app = App::make(*config, std::move(sockets), root() / "berth.conf");
        if (!app) throw std::runtime_error{app.error().message};
        code = (*app)->run();
    } catch (const std::exception& error) {  // as main() has it
        dprintf(STDERR_FILENO, "ended: %s\n", error.what());
    }
    counts = nullptr;
#ifdef __SANITIZE_ADDRESS__
    if (__lsan_do_recoverable_leak_check() != 0) code = 23;
#endif
    ::_exit(code);
}

bool Starved::answers() const {
    Client client{socket()};
    const auto answer = client.get("/v2/health");
    return answer && answer->status == 200;
}

void Starved::start() {
    enough();
    launch();
    while_asked([this] { return answers(); });
    INFO(said());
    REQUIRE_FALSE(ended());
}

void Starved::start_short_of(std::int64_t n) {
    fail_at(n);
    launch();
    while_asked([this] { return (void)answers(), met(); });
}

void Starved::while_asked(const std::function<bool()>& enough) {
    const auto end = std::chrono::steady_clock::now() + 180s;
    while (!ended() && !enough()) {
        REQUIRE(std::chrono::steady_clock::now() < end);
        std::this_thread::sleep_for(2ms);  // asks another process; there is no event to wait for
    }
}

int Starved::wait() {
    if (pid_ > 0) ::waitpid(pid_, &status_, 0);
    pid_ = -1;
    return status_;
}

void Starved::kill() {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    wait();
}

bool Starved::ended() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
    return pid_ < 0;
}

int Starved::stop() {
    ::kill(pid_, SIGTERM);
    const int status = wait();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// Read only: the last one who could write would copy the log back and take it away.
Look Starved::look() const {
    auto db = SqliteDb::open(store(), SqliteDb::Access::read_only);
    REQUIRE(db);
    Tx tx{**db, Tx::Mode::read};
    Look seen;
    for (const Row& table : (*db)->query("select name from sqlite_schema where type = 'table'"))
        seen.rows[table.text(0)] = (*db)->must("select count(*) from " + table.text(0)).integer(0);
    seen.print = fingerprint(**db);
    seen.broken = broken_rules(**db);
    return seen;
}

std::string Starved::said() const {
    std::ifstream file{root() / "log"};
    return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace berth::test
