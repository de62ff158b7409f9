#include "daemon/backup_stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <utility>

#include "base/log.h"
#include "base/loop/stream.h"
#include "base/pack.h"
#include "base/text.h"
#include "daemon/backup.h"

namespace berth {
namespace {

namespace fs = std::filesystem;
constexpr const char* kUnfinished = ".backup-";

// Removed when it is done with, however that came about.
class Folder {
public:
    explicit Folder(const fs::path& store_dir) {
        std::string name = (store_dir / kUnfinished).string() + "XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) check(-1, "making '{}'", name);
        path_ = name;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;  // the next start removes it
        fs::remove_all(path_, ignored);
    }
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

// How many bytes the tar has, by writing it to nowhere.
Result<std::uint64_t> tar_bytes(const fs::path& folder) {
    const Fd nowhere{check(::open("/dev/null", O_WRONLY | O_CLOEXEC), "opening '/dev/null'")};
    return pack_directory(folder, nowhere.get());
}

// The end that is read from; letting go of it ends the tar's making.
class Source final : public ByteSource {
public:
    Source(Loop& loop, Fd from, std::uint64_t bytes)
        : stream_{loop, std::move(from)}, bytes_{bytes} {}

    std::uint64_t bytes() const override { return bytes_; }
    void read(std::function<void(std::string_view)> take) override {
        stream_.read(std::move(take));
    }
    void pause() override { stream_.pause(); }
    void resume() override { stream_.resume(); }

private:
    Stream stream_;
    const std::uint64_t bytes_;
};

std::pair<Fd, Fd> stream_pair() {
    int ends[2];
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "making a pair of sockets");
    return {Fd{ends[0]}, Fd{ends[1]}};
}

// Thread: backup. `tell` once, on the loop; the tar's bytes follow it. The tar ends for its
// reader when what is returned is closed: when another backup can be made.
Fd make_backup(const Config& config, Loop& loop,
                 const std::function<void(Result<std::unique_ptr<ByteSource>>)>& tell) {
    const auto answer = [&](auto made) {
        // std::function wants what can be copied.
        auto held = std::make_shared<decltype(made)>(std::move(made));
        loop.post([tell, held] { tell(std::move(*held)); });
    };
    bool told = false;
    try {
        const Folder folder{config.store_dir()};
        auto sums = snapshot(config, folder.path());
        auto bytes = sums ? tar_bytes(folder.path())
                          : Result<std::uint64_t>{tl::unexpected<Failure>{sums.error()}};
        if (!bytes) {
            answer(Result<std::unique_ptr<ByteSource>>{pass_on(bytes)});
            return Fd{};
        }
        auto [read_end, write_end] = stream_pair();
        told = true;
        auto held = std::make_shared<Fd>(std::move(read_end));
        loop.post([&loop, tell, held, bytes = *bytes] {
            tell(std::make_unique<Source>(loop, std::move(*held), bytes));
        });
        auto packed = pack_directory(folder.path(), write_end.get());
        if (!packed) log_error("a backup broke off", {{"reason", packed.error().message}});
        return std::move(write_end);
    } catch (const std::exception& error) {
        // A client that left is one of these.
        log_warning("a backup broke off", {{"reason", error.what()}});
        if (!told)
            answer(Result<std::unique_ptr<ByteSource>>{tl::unexpected<Failure>{
                Failure{FailureKind::unavailable,
                        fmt::format("cannot make a backup: {}", error.what()),
                        {}}}});
    }
    return Fd{};
}

}  // namespace

void Backups::make(Done<std::unique_ptr<ByteSource>> done) {
    if (making_->exchange(true))
        return done(
            fail(FailureKind::busy, "a backup is being made already; ask again when it is done"));
    auto held = std::make_shared<Done<std::unique_ptr<ByteSource>>>(std::move(done));
    // A copy: a reload changes the settings meanwhile.
    work_.run([&loop = loop_, config = config_, making = making_, held] {
        const Fd end = make_backup(
            config, loop,
            [held](Result<std::unique_ptr<ByteSource>> made) { (*held)(std::move(made)); });
        *making = false;
    });
}

void remove_unfinished_backups(const fs::path& store_dir) {
    std::error_code none;
    for (fs::directory_iterator at{store_dir, none}, end; at != end; at.increment(none)) {
        if (!at->path().filename().string().starts_with(kUnfinished)) continue;
        std::error_code ignored;  // tried again at the next start
        fs::remove_all(at->path(), ignored);
    }
}

}  // namespace berth
