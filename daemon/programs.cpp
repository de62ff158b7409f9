#include "daemon/programs.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/fd.h"
#include "base/file.h"
#include "base/pack.h"
#include "source/archive.h"

namespace berth {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrograms[] = {"berth-oauth", "berth-call"};
constexpr std::size_t kKept = 1;  // beside the one in use

// Ours and nothing else: whatever is uploaded has a manifest.
bool is_of_programs(const fs::path& release) {
    bool any = false;
    for (const auto& entry : fs::directory_iterator{release}) {
        if (std::ranges::find(kPrograms, entry.path().filename().native()) == std::end(kPrograms))
            return false;
        any = true;
    }
    return any;
}

void remove_older(const fs::path& releases_dir, const fs::path& in_use) {
    std::vector<std::pair<fs::file_time_type, std::string>> ours;
    for (const auto& entry : fs::directory_iterator{releases_dir})
        if (entry.is_directory() && entry.path() != in_use &&
            !entry.path().filename().native().starts_with('.') && is_of_programs(entry.path()))
            ours.emplace_back(entry.last_write_time(), entry.path().filename().native());
    std::ranges::sort(ours, std::greater{});
    for (std::size_t i = kKept; i < ours.size(); ++i)
        remove_release(releases_dir, ours[i].second);
}

}  // namespace

std::vector<fs::path> program_folders() {
    const fs::path beside = fs::read_symlink("/proc/self/exe").parent_path();
    return {beside, beside.parent_path() / "lib" / "berth"};
}

Result<std::string> store_programs(const std::vector<fs::path>& from,
                                   const fs::path& releases_dir) {
    TempDir staging{"programs"};
    bool any = false;
    for (const std::string_view name : kPrograms)
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
    fs::last_write_time(stored->dir, fs::file_time_type::clock::now());  // of its last use
    remove_older(releases_dir, stored->dir);
    return stored->hash;
}

}  // namespace berth
