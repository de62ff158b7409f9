#include "daemon/scrub.h"

#include <algorithm>

#include "base/log.h"
#include "store/page_sums.h"

namespace berth {
namespace {

constexpr std::uint32_t kPagesOfLook = 65'536;  // 256 MiB

std::vector<std::filesystem::path> databases(const std::filesystem::path& dir) {
    std::vector<std::filesystem::path> files;
    for (const auto& folder : {dir, dir / "logs"}) {
        std::error_code none;
        for (std::filesystem::directory_iterator it{folder, none}, end; it != end;
             it.increment(none))
            if (it->path().extension() == ".db") files.push_back(it->path());
    }
    std::ranges::sort(files);
    return files;
}

}  // namespace

std::vector<std::string> scrub(const std::filesystem::path& dir, ScrubPlace& at,
                               std::uint32_t most) {
    std::vector<std::string> found;
    for (const auto& file : databases(dir)) {
        if (file < at.file) continue;
        if (file != at.file) at = {file, 1};
        const PageCheck check = check_pages(file, at.page, most);
        for (const std::uint32_t page : check.damaged)
            found.push_back(damaged_page(page, file));
        if (check.next != 0) {
            at.page = check.next;
            return found;
        }
        most -= std::min(most, check.looked_at);
    }
    at = {};  // that was the last one
    return found;
}

void Scrub::look() {
    work_.run([dir = dir_, at = at_, &store = store_] {
        for (const std::string& damage : scrub(dir, *at, kPagesOfLook)) {
            log_error("the disk has changed what Berth wrote", {{"where", damage}});
            store.notice({StoreError::Kind::damaged, damage});
        }
    });
}

}  // namespace berth
