// What berthd finds out for the doctor about itself and the accounts of its host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

struct IdRange {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
};

// Who else has ids of the range, in words: accounts (the text of /etc/passwd), and users who
// were given ranges (of /etc/subuid). Lines that are none are passed over. Pure.
std::vector<std::string> others_in_range(const IdRange& range, std::string_view passwd,
                                         std::string_view subuid);
// Of this host.
std::vector<std::string> others_in_range(const IdRange& range);

std::uint64_t open_files_limit();  // of this process

}  // namespace berth
