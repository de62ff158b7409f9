#include "tests/faults/model.h"

#include <algorithm>
#include <cstring>

#include "store/audit.h"

namespace berth::test {
namespace {

void mix(std::uint64_t& hash, std::uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 29;
}

void mix(std::uint64_t& hash, std::string_view bytes) {
    mix(hash, bytes.size());
    for (; bytes.size() >= sizeof(std::uint64_t); bytes.remove_prefix(sizeof(std::uint64_t))) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data(), sizeof word);
        mix(hash, word);
    }
    for (const char byte : bytes)
        mix(hash, static_cast<unsigned char>(byte));
}

// Each is a rule: the query finds who breaks it.
constexpr std::pair<const char*, const char*> kRules[] = {
    {"a row refers to one that is not there", "pragma foreign_key_check"},
    {"a run's state is not the one of its last event",
     "select id from runs where state is not (select state from run_events"
     " where run_id = runs.id order by run_events.id desc limit 1)"},
    {"a run has no trigger",
     "select id from runs where not exists (select 1 from triggers where run_id = runs.id)"},
    {"a run that waits or has ended is held by a host",
     "select id from runs where lease_until is not null"
     " and (completed is not null or state = 'queued')"},
    {"a tenant has two live runs",
     "select tenant_id from runs where completed is null group by tenant_id having count(*) > 1"},
    {"a run has a trigger of another tenant",
     "select triggers.id from triggers join runs on runs.id = run_id"
     " where runs.tenant_id <> triggers.tenant_id"},
    {"an idempotency key has two triggers",
     "select 1 from triggers where idempotency_key is not null"
     " group by tenant_id, source, idempotency_key having count(*) > 1"},
    {"the sum of what waits is wrong",
     "select tenant_id, count(*) as n, min(seq) from triggers where run_id is null"
     " group by tenant_id except select tenant_id, triggers, oldest_seq from waiting"},
    {"a sum says that something waits which does not",
     "select tenant_id, triggers, oldest_seq from waiting except"
     " select tenant_id, count(*), min(seq) from triggers where run_id is null group by tenant_id"},
    {"the load of an integration is wrong",
     "select integration_id, sum(triggers) from waiting group by integration_id except"
     " select integration_id, waiting from loads"},
    {"the load of the host is wrong",
     "select 1 where (select coalesce(sum(triggers), 0) from waiting) <>"
     " (select coalesce(sum(waiting), 0) from loads where integration_id = 0)"},
};

}  // namespace

std::uint64_t fingerprint(Db& db) {
    std::uint64_t hash = 1;
    for (const Row& table :
         db.query("select name from sqlite_schema where type = 'table' order by name")) {
        mix(hash, table.text(0));
        for (const Row& row : db.query("select * from " + table.text(0)))
            for (std::size_t i = 0; i < row.size(); ++i) {
                if (row.is_null(i))
                    mix(hash, std::uint64_t{0x6e756c6c});
                else if (row.is_integer(i))
                    mix(hash, static_cast<std::uint64_t>(row.integer(i)));
                else
                    mix(hash, row.text(i));
            }
    }
    return hash;
}

std::vector<std::string> damage(Db& db) {
    std::vector<std::string> damaged;
    for (const Row& row : db.query("pragma integrity_check"))
        if (row.text(0) != "ok") damaged.push_back(row.text(0));
    return damaged;
}

std::vector<std::string> broken_rules(Db& db) {
    std::vector<std::string> broken;
    for (const auto& [rule, query] : kRules)
        if (const auto found = db.one(query)) broken.emplace_back(rule);
    if (auto chain = verify_audit(db); !chain) broken.push_back(chain.error().message);
    return broken;
}

namespace {

std::set<std::string> triggers_in(Db& db) {
    std::set<std::string> triggers;
    for (const Row& row : db.query("select id from triggers"))
        triggers.insert(row.text(0));
    return triggers;
}

}  // namespace

void Promises::take_from(Db& db) { triggers_ = triggers_in(db); }

void Promises::forget_what_is_gone(Db& db) {
    const auto there = triggers_in(db);
    std::erase_if(triggers_, [&](const std::string& trigger) { return !there.contains(trigger); });
}

std::size_t Promises::lost(Db& db) const {
    const auto there = triggers_in(db);
    return static_cast<std::size_t>(std::ranges::count_if(
        triggers_, [&](const std::string& trigger) { return !there.contains(trigger); }));
}

}  // namespace berth::test
