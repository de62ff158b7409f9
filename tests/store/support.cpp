#include "tests/store/support.h"

#include <cstdlib>
#include <iostream>

#include "base/crypto.h"
#include "store/db_sqlite.h"
#include "store/integrations.h"
#include "store/migrate.h"
#include "store/releases.h"

namespace berth::test {

TestDb make_db() {
    TestDb made;
    made.dir = std::make_unique<TempDir>("berth-store");
    made.db = connect_again(made.dir->path());
    must(migrate(*made.db, "berth.db", kNow));
    return made;
}

std::unique_ptr<Db> connect_again(const std::filesystem::path& dir) {
    return must(SqliteDb::open(dir / "berth.db", SqliteDb::Access::read_write));
}

Result<std::unique_ptr<Store>> make_store(const std::filesystem::path& dir, Loop& loop) {
    static const FixedClock clock;
    return Store::open(dir, loop, clock);
}

Integration add_integration(Db& db, const std::string& name) {
    Integration wanted;
    wanted.name = name;
    return must(create_integration(db, kBy, wanted));
}

Release add_release(Db& db, IntegrationId integration, const std::string& hash) {
    Release wanted;
    wanted.integration_id = integration;
    wanted.content_hash = hash;
    wanted.run_command = "true";
    return must(create_release(db, kBy, wanted));
}

Tenant add_tenant(Db& db, IntegrationId integration, const std::string& name) {
    Tenant wanted;
    wanted.integration_id = integration;
    wanted.name = name;
    return must(create_tenant(db, kBy, wanted));
}

Tenant add_world(Db& db) {
    const Integration shop = add_integration(db, "shop");
    add_release(db, shop.id, "h1");
    return add_tenant(db, shop.id, "acme");
}

Trigger trigger_for(TenantId tenant) {
    Trigger trigger;
    trigger.id = TriggerId::make();
    trigger.tenant_id = tenant;
    trigger.created = kNow;
    return trigger;
}

std::string fake_envelope(std::uint32_t key_id) {
    std::string envelope{"BE\1\1\1\1", 6};
    for (int shift = 24; shift >= 0; shift -= 8)
        envelope += static_cast<char>(key_id >> shift);
    return envelope + random_bytes(32 + 32 + 64 + 16);
}

std::int64_t count(Db& db, const std::string& table) {
    return db.must("select count(*) from " + table).integer(0);
}

std::mt19937_64 seeded_random() {
    const char* const given = std::getenv("BERTH_SEED");
    const std::uint64_t seed = given ? std::stoull(given) : std::random_device{}();
    std::cout << "BERTH_SEED=" << seed << std::endl;
    return std::mt19937_64{seed};
}

}  // namespace berth::test
