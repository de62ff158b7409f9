// The key that auth links are made from: a file of berthd's beside its store, so that
// neither the store nor a copy of it can make a link.
#pragma once

#include <filesystem>
#include <string>

namespace berth {

// 32 bytes; made where there is none. Throws SystemError.
std::string load_link_key(const std::filesystem::path& file);

}  // namespace berth
