// The table of operations, held against the store's headers.
#include "tests/faults/operations.h"

#include <catch2/catch.hpp>
#include <cctype>
#include <filesystem>
#include <set>

#include "base/file.h"

using namespace berth;
using namespace berth::test;

namespace {

// Part of the seam, or a piece of another operation (accept_trigger, begin_run, LogStore).
const std::set<std::string> kNoOperations{"migrate",     "run",          "Tx",
                                          "add_waiting", "take_waiting", "hold_run",
                                          "let_run_go",  "write_chunk",  "read_chunks"};

// A debt, named so that it cannot grow unseen: functions of connectors, tokens, webhooks,
// jobs and rotation that no fault is tried on yet. Nothing may be added here.
const std::set<std::string> kUntried{"add_attempt",
                                     "add_event",
                                     "audit_head",
                                     "begin_exchange",
                                     "begin_job",
                                     "begin_rotation",
                                     "check_owner",
                                     "check_version",
                                     "claim_token",
                                     "connection_history",
                                     "connection_secrets",
                                     "count_connections",
                                     "data_key_of",
                                     "data_keys_before",
                                     "delete_auth_link",
                                     "delete_provisioning",
                                     "delete_tenant",
                                     "drop_data_key",
                                     "drop_unused_keks",
                                     "due_tokens",
                                     "end_exchange",
                                     "end_job",
                                     "fields_for_run",
                                     "find_auth_link",
                                     "find_connection",
                                     "find_hook",
                                     "finish_rotation",
                                     "forget_jobs",
                                     "get_auth_link",
                                     "get_job",
                                     "get_manifest",
                                     "get_provisioning",
                                     "hook_stamp",
                                     "keks_of_other_roots",
                                     "last_rotation",
                                     "list_deliveries",
                                     "list_hooks",
                                     "list_jobs",
                                     "look_at_connection",
                                     "look_at_vault",
                                     "lose_jobs",
                                     "newest_data_key",
                                     "next_keep_alive",
                                     "next_old_data_key",
                                     "next_retired_data_key",
                                     "next_version",
                                     "open_connection",
                                     "open_hook",
                                     "put_auth_link",
                                     "put_manifest",
                                     "put_off_keep_alive",
                                     "put_secret",
                                     "read_connection",
                                     "read_fields",
                                     "record_delivery",
                                     "release_token",
                                     "replace_data_keys",
                                     "replace_keks",
                                     "replace_secrets",
                                     "reserve_provisioning",
                                     "reserve_version",
                                     "revoke_hooks",
                                     "rotate_hook",
                                     "rotation_left",
                                     "scopes_without_manifest",
                                     "secret_names",
                                     "secrets_of",
                                     "secrets_under",
                                     "set_connection_status",
                                     "set_provisioning",
                                     "signed_list",
                                     "step",
                                     "store_consent",
                                     "store_outage",
                                     "store_refusal",
                                     "store_renewal",
                                     "succeed_data_key",
                                     "take_attempt",
                                     "token_of",
                                     "tokens_of_run",
                                     "write_fields"};

// The names of the functions that take the database first.
std::set<std::string> functions_in(std::string_view header) {
    std::set<std::string> names;
    constexpr std::string_view kTakesDb = "(Db& db";
    for (auto at = header.find(kTakesDb); at != std::string_view::npos;
         at = header.find(kTakesDb, at + 1)) {
        auto begin = at;
        while (begin > 0 && (std::isalnum(static_cast<unsigned char>(header[begin - 1])) != 0 ||
                             header[begin - 1] == '_'))
            --begin;
        if (begin < at) names.emplace(header.substr(begin, at - begin));
    }
    return names;
}

std::set<std::string> store_functions() {
    std::set<std::string> all;
    const auto store = std::filesystem::path{BERTH_SOURCE_DIR} / "store";
    for (const auto& entry : std::filesystem::directory_iterator{store}) {
        if (entry.path().extension() != ".h") continue;
        auto text = read_file(entry.path(), 1 << 20);
        REQUIRE(text);
        all.merge(functions_in(*text));
    }
    for (const std::string& name : kNoOperations)
        all.erase(name);
    return all;
}

}  // namespace

TEST_CASE("every function of the store is an operation of the fault tests", "[faults]") {
    std::set<std::string> covered;
    for (const Operation& operation : operations()) {
        INFO(operation.name);
        CHECK(covered.insert(operation.name).second);  // once
    }
    const auto there = store_functions();
    CHECK(there.size() > 50);
    for (const std::string& name : there) {
        INFO("put '" << name << "' into tests/faults/operations_*.cpp");
        CHECK(covered.contains(name) != kUntried.contains(name));
    }
    for (const std::string& name : kUntried) {
        INFO("take '" << name << "' out of the debt: it is no function of store/*.h");
        CHECK(there.contains(name));
    }
    for (const std::string& name : covered) {
        INFO("'" << name << "' is an operation, but no function of store/*.h");
        CHECK(there.contains(name));
    }
}

TEST_CASE("a function of the store that is no operation would be noticed", "[faults]") {
    const auto found = functions_in(
        "Result<void> drop_all(Db& db, const By& by);\nint other(int);\n  f([](Db& db) {});");
    CHECK(found == std::set<std::string>{"drop_all"});
}
