#include "daemon/link_key.h"

#include "base/crypto.h"
#include "base/file.h"

namespace berth {

constexpr std::size_t kKeyBytes = 32;

std::string load_link_key(const std::filesystem::path& file) {
    if (auto key = read_file(file, kKeyBytes); key && key->size() == kKeyBytes) return *key;
    std::string fresh = random_bytes(kKeyBytes);
    write_file_atomically(file, fresh, 0600);
    return fresh;
}

}  // namespace berth
