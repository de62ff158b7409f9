// Every secret of a store, read with its root key and without the daemons: as whoever restores
// a host would, and to count what cannot be read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace berth::test {

struct OpenedStore {
    std::map<std::string, std::string> values;  // `3/crm/api_key` → plaintext, by tenant
    std::vector<std::string> unreadable;        // which, and why
    std::int64_t scopes = 0;                    // that have a data key,
    std::int64_t data_keys = 0;                 // and the keys they have
    std::int64_t keks = 0;
    std::int64_t under_lost_keys = 0;  // secrets whose data key is not there
};

// Nobody may have the store open; a program that opens it afterwards needs its files' owner.
OpenedStore open_store(const std::filesystem::path& folder, const std::string& root_key);

}  // namespace berth::test
