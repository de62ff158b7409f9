// What must be true of a store: exactly what was acknowledged, and the rules that
// hold between its rows at any moment.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "store/db.h"

namespace berth::test {

// A hash of every row of every table. Equal stores have equal ones.
std::uint64_t fingerprint(Db& db);

// What SQLite's own check of pages and indexes finds wrong.
std::vector<std::string> damage(Db& db);
// Sentences about rows that do not fit together: broken references, triggers with two
// runs, sums that are not, runs without the event of their state, a broken audit chain.
// They depend on the rows alone: equal fingerprints break equal rules.
std::vector<std::string> broken_rules(Db& db);

// The triggers a client was told of, kept apart from any database.
class Promises {
public:
    void accepted(std::string trigger) { triggers_.insert(std::move(trigger)); }
    // What is there now is what is promised.
    void take_from(Db& db);
    // Rows may go again when retention says so.
    void forget_what_is_gone(Db& db);
    void clear() { triggers_.clear(); }
    std::size_t size() const { return triggers_.size(); }
    // How many are not there.
    std::size_t lost(Db& db) const;

private:
    std::set<std::string> triggers_;
};

}  // namespace berth::test
