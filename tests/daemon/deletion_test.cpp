// A tenant that was deleted for ever: nothing of its keys and secrets is left in the files of
// the store, for whoever has the root key, too.
#include "store/deletion.h"

#include <fstream>
#include <iostream>

#include "store/manifests.h"
#include "tests/daemon/key_house.h"

using namespace berth;
using namespace berth::test;

namespace {

// Salts of the tenant's envelopes, its data key's among them: a file that has none of them
// has no envelope.
std::vector<std::string> salts_of(KeyHouse& house, TenantId tenant) {
    return must(read_now(*house.daemon->store, house.loop, [tenant](Db& db) {
        std::vector<std::string> salts;
        for (const Row& row : db.query("select salt from secrets where tenant_id = $1 union all"
                                       " select salt from data_keys where scope_kind = 'tenant'"
                                       " and scope_id = $1",
                                       {tenant}))
            salts.push_back(row.text(0));
        return salts;
    }));
}

std::size_t found_in_files(const std::filesystem::path& dir,
                           const std::vector<std::string>& salts) {
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{dir}) {
        if (!entry.is_regular_file()) continue;
        std::ifstream file{entry.path(), std::ios::binary};
        const std::string all{std::istreambuf_iterator<char>{file}, {}};
        for (const std::string& salt : salts)
            if (all.find(salt) != std::string::npos) ++found;
    }
    return found;
}

Result<void> delete_now(KeyHouse& house, TenantId tenant) {
    Wait<void> wait{house.loop};
    house.daemon->vault.delete_tenant({"uid 0"}, tenant, wait.callback());
    return wait.get();
}

}  // namespace

TEST_CASE("of a deleted tenant no envelope is left in any file of the store", "[deletion]") {
    KeyHouse house{2, 64};
    house.fill();
    // Also old versions, in pages that were given back and in the log.
    for (int round = 0; round < 8; ++round) {
        auto changed = house.values[0];
        for (auto& [field, value] : changed)
            value += ".";
        must(house.store(0, changed));
        house.values[0] = changed;
        house.daemon->store->checkpoint();
    }
    const auto gone = salts_of(house, house.tenants[0]);
    const auto kept = salts_of(house, house.tenants[1]);
    REQUIRE(gone.size() == 65);
    const auto dir = house.dir.path() / "store";
    REQUIRE(found_in_files(dir, gone) >= gone.size());  // the control

    must(delete_now(house, house.tenants[0]));
    const auto left = found_in_files(dir, gone);
    std::cout << "envelopes of a deleted tenant: " << gone.size() << ", left in files " << left
              << '\n';
    CHECK(left == 0);
    CHECK(found_in_files(dir, kept) >= kept.size());
    CHECK(!house.open(1));
    CHECK(house.view().secrets == 64);
    // What it was called is in no list of tenants, and it comes back by no change.
    CHECK_FAILS(write_now(*house.daemon->store, house.loop,
                          [id = house.tenants[0]](Db& db) -> Result<Tenant> {
                              auto tenant = get_tenant(db, id);
                              tenant->archived = false;
                              return update_tenant(db, kBy, *tenant);
                          }),
                FailureKind::conflict, "was deleted for ever");
    CHECK_FAILS(house.store(0, {{"a", "b"}}), FailureKind::conflict, "is archived");
    must(delete_now(house, house.tenants[0]));  // twice is fine
    CHECK_FAILS(delete_now(house, TenantId{99}), FailureKind::not_found, "there is no tenant '99'");
}
