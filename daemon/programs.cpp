#include "daemon/programs.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/pack.h"
#include "source/archive.h"

namespace berth {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrograms[] = {"berth-oauth", "berth-call"};

}  // namespace

std::vector<fs::path> program_folders() {
    const fs::path beside = fs::read_symlink("/proc/self/exe").parent_path();
    return {beside, beside.parent_path() / "lib" / "berth"};
}

Result<std::string> store_programs(const std::vector<fs::path>& from,
                                   const fs::path& releases_dir) {
    TempDir staging{"programs"};
    bool any = false;
    for (const char* name : kPrograms)
        for (const fs::path& folder : from) {
            std::error_code error;
            if (!fs::exists(folder / name, error)) continue;
            fs::copy_file(folder / name, staging.path() / name, error);
            if (error)
                throw SystemError{error.value(),
                                  fmt::format("copying '{}'", (folder / name).string())};
            any = true;
            break;
        }
    if (!any)
        return fail(FailureKind::not_found,
                    "neither berth-oauth nor berth-call is in '{}', beside berthd; install the "
                    "package again",
                    from.empty() ? "" : from.front().string());
    const Fd tar{check(::memfd_create("programs", MFD_CLOEXEC), "making memory for an archive")};
    if (auto packed = pack_directory(staging.path(), tar.get()); !packed) return pass_on(packed);
    check(::lseek(tar.get(), 0, SEEK_SET), "going to the start of an archive");
    auto stored = store_release(tar.get(), releases_dir);
    if (!stored) return pass_on(stored);
    return stored->hash;
}

}  // namespace berth
