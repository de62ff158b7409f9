// S19: a tenant that was deleted for ever. Nothing of its keys and secrets is left in the files
// of the store, and who kept its envelopes, and has the root key, can open none.
#include "store/deletion.h"

#include <fstream>
#include <iostream>

#include "store/connectors.h"
#include "store/manifests.h"
#include "tests/daemon/key_house.h"
#include "vault/mask_automaton.h"

using namespace berth;
using namespace berth::test;

namespace {

constexpr int kConnections = 20;
constexpr int kFields = 50;  // of each
constexpr int kSecrets = kConnections * kFields;

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

std::size_t found_in_files(const std::filesystem::path& dir, std::vector<std::string> salts) {
    std::ranges::sort(salts);
    const vault::MaskAutomaton automaton{salts};
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{dir}) {
        if (!entry.is_regular_file()) continue;
        std::ifstream file{entry.path(), std::ios::binary};
        const std::string all{std::istreambuf_iterator<char>{file}, {}};
        automaton.scan(0, all, [&](std::size_t, std::size_t) { ++found; });
    }
    return found;
}

// How many of the secrets open under one of the keys.
std::size_t opened(KeyHouse& house, const KeyHouse::Sealed& sealed,
                   const std::vector<ipc::WrappedKey>& keys) {
    std::size_t count = 0;
    for (ipc::RunSecret secret : sealed.secrets)
        for (const ipc::WrappedKey& key : keys) {
            secret.data_key = key;
            std::vector<ipc::RunSecret> one;
            one.push_back(secret);
            count += house.runner.keys().open_unlisted(one) ? 1U : 0U;
        }
    return count;
}

std::vector<ipc::WrappedKey> keys_in_store(KeyHouse& house) {
    return must(read_now(*house.daemon->store, house.loop, [](Db& db) {
        std::vector<ipc::WrappedKey> keys;
        for (const Row& row : db.query("select id, envelope from data_keys"))
            keys.push_back({static_cast<std::uint32_t>(row.integer(0)), row.text(1)});
        return keys;
    }));
}

// The first tenant's other connections.
void connect_all(KeyHouse& house) {
    for (int i = 1; i < kConnections; ++i) {
        const auto name = fmt::format("crm{}", i);
        must(write_now(*house.daemon->store, house.loop, [&](Db& db) -> Result<Connector> {
            auto made = create_connector(db, kBy, name, "custom");
            must(attach_connector(db, kBy, house.integration, {name, false}));
            return made;
        }));
        std::map<std::string, Secret> secrets;
        for (int field = 0; field < kFields; ++field) {
            const auto of = fmt::format("{}-{}", name, field);
            secrets.emplace(of, Secret{house.values[0][of] = "value of " + of});
        }
        Wait<Connection> wait{house.loop};
        house.daemon->keys.store_secrets({"uid 0"}, {house.integration, house.tenants[0]}, name,
                                         std::move(secrets), wait.callback());
        must(wait.get());
    }
}

Result<void> delete_now(KeyHouse& house, TenantId tenant) {
    Wait<void> wait{house.loop};
    house.daemon->vault.delete_tenant({"uid 0"}, tenant, wait.callback());
    return wait.get();
}

}  // namespace

TEST_CASE("of a deleted tenant no envelope is left in any file of the store", "[deletion]") {
    KeyHouse house{2, kFields};
    house.fill();
    // Also old versions, in pages that were given back and in the log.
    for (int round = 0; round < 3; ++round) {
        auto changed = house.values[1];  // the fields of the first connection
        for (auto& [field, value] : changed)
            value = fmt::format("{} of round {}", field, round);
        must(house.store(0, changed));
        house.values[0] = changed;
        house.daemon->store->checkpoint();
    }
    connect_all(house);
    CHECK(!house.open(0));
    const auto gone = salts_of(house, house.tenants[0]);
    const auto kept = salts_of(house, house.tenants[1]);
    REQUIRE(gone.size() == kSecrets + 1);
    const auto kept_by_a_thief = must(house.sealed(0));
    CHECK(opened(house, kept_by_a_thief, keys_in_store(house)) == kSecrets);  // the control
    const auto dir = house.dir.path() / "store";
    REQUIRE(found_in_files(dir, gone) >= gone.size());  // the control

    must(delete_now(house, house.tenants[0]));
    const auto left = found_in_files(dir, gone);
    const auto keys = keys_in_store(house);
    const auto open = opened(house, kept_by_a_thief, keys);
    std::cout << "envelopes of a deleted tenant: " << gone.size() << ", left in files " << left
              << "; of its secrets " << open << " open with the " << keys.size()
              << " keys that are left\n";
    CHECK(left == 0);
    CHECK(keys.size() == 1);
    CHECK(open == 0);
    CHECK(found_in_files(dir, kept) >= kept.size());
    CHECK(!house.open(1));
    CHECK(house.view().secrets == kFields);
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
