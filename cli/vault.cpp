#include "cli/vault.h"

#include <fcntl.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "cli/fields.h"
#include "cli/resolve.h"
#include "cli/root_key.h"
#include "cli/tenants.h"

namespace berth {
namespace {

constexpr std::chrono::milliseconds kLookAgain{500};

std::string progress(const Json& rotation) {
    const auto total = number(rotation, "total").value_or(0);
    const auto left = number(rotation, "left").value_or(0);
    if (!field(rotation, "finished_date").empty())
        return "done at " + short_time(field(rotation, "finished_date"));
    return fmt::format("{} of {} left", left, total);
}

void print(Session& session, const Json& vault) {
    Record record;
    const std::string root = field(vault, "root_key");
    record.line("root key", root.empty() ? Cell{"none", Tone::bad} : Cell{root, Tone::good});
    std::string previous;
    for (const Json& id : inner(vault, "previous_root_keys"))
        if (id.is_string()) previous += (previous.empty() ? "" : ", ") + id.get<std::string>();
    record.line("previous root keys", previous);
    for (const Json& kek : inner(vault, "key_encryption_keys"))
        record.line(fmt::format("key-encryption key {}", field(kek, "term")),
                    fmt::format("wraps {} data keys; wrapped by root key {}...",
                                field(kek, "data_keys"), field(kek, "root_key")));
    record.line("data keys", field(vault, "data_keys"));
    record.line("data keys being replaced", field(vault, "retired_data_keys"));
    record.line("secrets", field(vault, "secrets"));
    const Json& rotation = inner(vault, "rotation");
    if (rotation.is_object()) {
        const std::string scope = field(rotation, "scope");
        record.line("rotation", field(rotation, "what") + (scope.empty() ? "" : " of " + scope) +
                                    ": " + progress(rotation));
    }
    if (const std::string trouble = field(vault, "trouble"); !trouble.empty())
        record.line("trouble", Cell{trouble, Tone::bad});
    session.print(record);
}

bool over(const Json& vault) {
    const Json& rotation = inner(vault, "rotation");
    return !rotation.is_object() || !field(rotation, "finished_date").empty();
}

Result<Exit> show(Session& session, const Json& vault) {
    if (session.json())
        session.print(vault);
    else
        print(session, vault);
    return Exit::ok;
}

}  // namespace

Result<Exit> vault_status(Session& session) {
    auto vault = session.api().get(api_path({"vault"}));
    if (!vault) return pass_on(vault);
    return show(session, *vault);
}

Result<Exit> vault_rotate(Session& session, const VaultRotate& rotate) {
    Json body{{"what", rotate.what}};
    if (!rotate.tenant.empty()) {
        auto tenant = find_tenant(session.api(), rotate.tenant);
        if (!tenant) return pass_on(tenant);
        body["tenant_id"] = number(*tenant, "id").value_or(0);
    }
    auto vault = session.api().send("POST", api_path({"vault", "rotations"}), to_text(body));
    if (!vault) return pass_on(vault);
    while (rotate.wait && !over(*vault)) {
        if (const std::string trouble = field(*vault, "trouble"); !trouble.empty())
            return fail(FailureKind::conflict, "the rotation does not go on: {}", trouble);
        std::this_thread::sleep_for(kLookAgain);
        vault = session.api().get(api_path({"vault"}));
        if (!vault) return pass_on(vault);
    }
    return show(session, *vault);
}

Result<Exit> vault_accept_restore(Session& session) {
    auto vault = session.api().send("POST", api_path({"vault", "accept-restore"}), "");
    if (!vault) return pass_on(vault);
    session.remark("what the store has now counts; later changes that were seen do not any more");
    return show(session, *vault);
}

Result<Exit> tenant_delete(Session& session, const std::string& name) {
    auto tenant = find_tenant(session.api(), name);
    if (!tenant) return pass_on(tenant);
    auto gone =
        session.api().send("DELETE", api_path({"tenants", field(*tenant, "id"), "data"}), "");
    if (!gone) return pass_on(gone);
    if (session.json())
        session.print(*gone);
    else
        session.remark(fmt::format("deleted tenant '{}' for ever", field(*tenant, "name")));
    return Exit::ok;
}

Result<Exit> vault_new_root(Session& session, const NewRoot& options) {
    const auto folder = options.file.parent_path().empty() ? "." : options.file.parent_path();
    const Fd dir{check(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                       "opening the directory '{}'", folder.string())};
    const std::string id = make_root_key(dir, options.file.filename().c_str(),
                                         owner_of(options.runner_uid, "berth-runner"));
    if (session.json()) {
        session.print(Json{{"root_key", options.file.string()}, {"root_key_id", id}});
        return Exit::ok;
    }
    Record record;
    record.line("root key", options.file.string());
    record.line("id", id);
    session.print(record);
    session.remark(fmt::format(
        "copy it to where the old one's copy is; then write into the configuration\n"
        "  root_key = {}\n"
        "  previous_root_keys = (what root_key was)\n"
        "start berth-runner anew (live runs go on), and do\n"
        "  berth vault rotate --root --wait\n"
        "the old one is no longer needed when 'berth vault status' shows nothing under it",
        options.file.string()));
    return Exit::ok;
}

}  // namespace berth
