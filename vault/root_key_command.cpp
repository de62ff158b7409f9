#include "vault/root_key_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/fd.h"
#include "base/pipe.h"
#include "base/text.h"
#include "vault/mac.h"

namespace berth::vault {
namespace {

using Clock = std::chrono::steady_clock;

// Of what it prints, more than this is too much: hex digits and a line end.
constexpr std::size_t kMostBytes = 2 * kKeyBytes + 1;

tl::unexpected<Failure> refuse(const std::string& program, std::string_view why) {
    return fail_at(FailureKind::denied, program,
                   "cannot take the root key from the command '{}': {}; run it as berth-runner's "
                   "user to see what it says",
                   program, why);
}

class Attributes {
public:
    Attributes() {
        ::posix_spawnattr_init(&attributes);
        ::posix_spawn_file_actions_init(&actions);
    }
    ~Attributes() {
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
    }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;

    posix_spawnattr_t attributes{};
    posix_spawn_file_actions_t actions{};
};

// In a process group of its own; killed with all that is in it.
class Program {
public:
    explicit Program(pid_t pid)
        : pid_{pid}, ended_{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))} {}
    ~Program() { (void)end(); }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    int ended_fd() const { return ended_.get(); }
    // Its status, as wait(2) has it.
    int end() {
        if (pid_ <= 0) return status_;
        ::kill(-pid_, SIGKILL);
        while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
        }
        pid_ = 0;
        return status_;
    }

private:
    pid_t pid_;
    Fd ended_;
    int status_ = 0;
};

int start(const std::vector<std::string>& argv, int out, pid_t& pid) {
    Attributes a;
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&a.attributes, &none);
    ::posix_spawnattr_setsigdefault(&a.attributes, &all);
    ::posix_spawnattr_setpgroup(&a.attributes, 0);
    ::posix_spawnattr_setflags(
        &a.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    ::posix_spawn_file_actions_addopen(&a.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&a.actions, out, STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&a.actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&a.actions, STDERR_FILENO + 1);

    std::vector<char*> words;
    for (const std::string& word : argv)
        words.push_back(const_cast<char*>(word.c_str()));  // exec does not write to them
    words.push_back(nullptr);
    std::string path = "PATH=/usr/bin:/bin", language = "LANG=C.UTF-8", credentials;
    std::vector<char*> env{path.data(), language.data()};
    // A PIN or a token for the key's keeper may be a credential of the unit.
    if (const char* folder = std::getenv("CREDENTIALS_DIRECTORY")) {
        credentials = fmt::format("CREDENTIALS_DIRECTORY={}", folder);
        env.push_back(credentials.data());
    }
    env.push_back(nullptr);
    return ::posix_spawn(&pid, argv.front().c_str(), &a.actions, &a.attributes, words.data(),
                         env.data());
}

// False when the time is over.
bool wait_readable(int fd, Clock::time_point until) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
        if (left.count() <= 0) return false;
        pollfd poll{fd, POLLIN, 0};
        const int ready = ::poll(&poll, 1, static_cast<int>(left.count()));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) check(-1, "waiting for the root key command");
    }
}

bool all_the_same(const Secret& key) {
    return std::all_of(key.data(), key.data() + key.size(),
                       [&](unsigned char byte) { return byte == key.data()[0]; });
}

}  // namespace

Result<std::vector<std::string>> parse_root_key_command(std::string_view text) {
    std::vector<std::string> words;
    for (std::string& word : split(text, ' '))
        if (!word.empty()) words.push_back(std::move(word));
    if (words.empty() || !words.front().starts_with('/'))
        return fail(FailureKind::invalid,
                    "must be the absolute path of a program, with its arguments after it");
    return words;
}

Result<RootKey> load_root_key_command(const std::vector<std::string>& argv,
                                      std::chrono::milliseconds time) {
    const std::string& name = argv.front();
    const auto until = Clock::now() + time;
    Pipe pipe = make_pipe();
    pid_t pid = 0;
    if (const int err = start(argv, pipe.write.get(), pid); err != 0)
        return refuse(
            name, fmt::format("it cannot be started ({})", std::generic_category().message(err)));
    Program program{pid};
    pipe.write.reset();

    const auto too_slow = fmt::format("it has taken more than {} s",
                                      std::chrono::ceil<std::chrono::seconds>(time).count());
    Secret printed = Secret::of_size(kMostBytes + 1);
    std::size_t size = 0;
    while (size < printed.size()) {
        if (!wait_readable(pipe.read.get(), until)) return refuse(name, too_slow);
        const ssize_t got = ::read(pipe.read.get(), printed.data() + size, printed.size() - size);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (check(got, "reading the root key command's output") == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > kMostBytes)
        return refuse(name, fmt::format("it prints more than {} bytes", kMostBytes));
    if (!wait_readable(program.ended_fd(), until)) return refuse(name, too_slow);
    const int status = program.end();
    if (WIFSIGNALED(status))
        return refuse(name, fmt::format("it was killed by signal {}", WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        return refuse(name, fmt::format("it exits with {}", WEXITSTATUS(status)));

    std::string_view text = printed.reveal().substr(0, size);
    Secret key;
    if (text.size() == kKeyBytes) {
        key = Secret{text};
    } else {
        if (text.ends_with('\n')) text.remove_suffix(1);
        auto decoded = text.size() == 2 * kKeyBytes
                           ? decode_mac_key(Secret{text}, "", MacKeyForm::hex)
                           : fail(FailureKind::invalid, "no key");
        if (!decoded)
            return refuse(name, fmt::format("it prints {} bytes, which are neither 32 raw ones "
                                            "nor 64 hex digits",
                                            size));
        key = std::move(*decoded);
    }
    if (all_the_same(key)) return refuse(name, "all bytes of what it prints are the same");
    return make_root_key(std::move(key));
}

}  // namespace berth::vault
