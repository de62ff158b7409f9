// `berth backup` and `berth restore`: all that Berth keeps but the root key.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "cli/fields.h"
#include "cli/host.h"

namespace berth {
namespace {

namespace fs = std::filesystem;

// The databases are copied before the first byte comes.
constexpr std::chrono::minutes kUntilFirstByte{60};

// `berth-20261122T131415Z.tar`
std::string dated_name() {
    std::string name = "berth-";
    for (const char c : to_rfc3339(SystemClock{}.now()).substr(0, 19))
        if (c != '-' && c != ':') name += c;
    return name + "Z.tar";
}

// A file that has its name only once it is whole. It is the caller's, for his eyes only.
class Unfinished {
public:
    explicit Unfinished(const fs::path& path) : path_{path}, temporary_{path.string() + ".part"} {
        ::unlink(temporary_.c_str());  // of a backup that broke off
        file_ = Fd{check(
            ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600),
            "making '{}'", temporary_.string())};
    }
    Unfinished(const Unfinished&) = delete;
    Unfinished& operator=(const Unfinished&) = delete;
    ~Unfinished() {
        if (!temporary_.empty()) ::unlink(temporary_.c_str());
    }
    int fd() const { return file_.get(); }
    void finish() {
        check(::fsync(file_.get()), "syncing '{}'", temporary_.string());
        check(::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE),
              "putting '{}' in place", path_.string());
        temporary_.clear();
    }

private:
    const fs::path path_;
    fs::path temporary_;
    Fd file_;
};

// Beside this program, or where packages put it.
fs::path berthd_program() {
    std::error_code none;
    const fs::path self = fs::read_symlink("/proc/self/exe", none);
    if (const fs::path beside = self.parent_path() / "berthd"; fs::exists(beside, none))
        return beside;
    return "/usr/sbin/berthd";
}

}  // namespace

Result<Exit> backup(Session& session, const std::string& where) {
    fs::path to = where;
    if (fs::is_directory(to)) to /= dated_name();
    if (fs::exists(fs::symlink_status(to)))
        return fail(FailureKind::conflict, "'{}' is there already; name a file that is not",
                    to.string());
    Unfinished file{to};
    std::uint64_t got = 0;
    auto said =
        session.api().download(api_path({"backup"}), kUntilFirstByte, [&](std::string_view bytes) {
            write_all(file.fd(), bytes);
            got += bytes.size();
        });
    if (!said) return pass_on(said);
    if (got == 0 || got != *said)
        return fail(FailureKind::conflict,
                    "the backup broke off after {} of {}: see berthd's log; nothing was kept",
                    size_text(got), size_text(*said));
    file.finish();
    if (session.json()) {
        session.print(Json{{"file", to.string()}, {"bytes", got}});
        return Exit::ok;
    }
    session.io.out << shown(to.string()) << '\n';
    session.remark(fmt::format("{} copied; the root key is not in it: keep a copy of that apart",
                               size_text(got)));
    return Exit::ok;
}

Result<Exit> restore(Session& session, const RestoreOptions& options) {
    Api running{session.socket, Api::kBrisk};
    if (running.get(api_path({"health"})))
        return fail(FailureKind::conflict,
                    "berthd is running at '{}', and nothing was put back; stop Berth: systemctl "
                    "stop berth.target 'berth*'",
                    session.socket.string());
    // What knows the store is berthd: this becomes it.
    const fs::path program = berthd_program();
    session.io.out.flush();
    ::execl(program.c_str(), program.c_str(), "--restore", options.from.c_str(), "--config",
            options.config.c_str(), nullptr);
    throw SystemError{errno, fmt::format("starting '{}'", program.string())};
}

}  // namespace berth
