#include "daemon/manifests.h"

#include <algorithm>

#include "base/log.h"
#include "store/manifests.h"

namespace berth {
namespace {

constexpr int kTries = 5;                // another program changes the same scope
constexpr std::int64_t kScopes = 1'000;  // completed at a time

ipc::WrappedKey to_ipc(const DataKeyRow& key) { return {key.id, key.envelope}; }

std::vector<ipc::ManifestEntry> to_ipc(const std::vector<ManifestEntry>& entries) {
    std::vector<ipc::ManifestEntry> out;
    for (const ManifestEntry& entry : entries)
        out.push_back({entry.connector_id, entry.field, entry.version, entry.tag});
    return out;
}

KeyScope scope_in_store(const ipc::Scope& scope) {
    return {
        scope.kind == ipc::ScopeKind::tenant ? KeyScope::Kind::tenant : KeyScope::Kind::integration,
        scope.id};
}

ipc::Manifest to_ipc(const SignedList& list) {
    return {scope_for_runner(list.manifest.scope), to_ipc(list.data_key), list.manifest.counter,
            to_ipc(list.entries), list.manifest.mac};
}

}  // namespace

ipc::Scope scope_for_runner(const KeyScope& scope) {
    return {
        scope.kind == KeyScope::Kind::tenant ? ipc::ScopeKind::tenant : ipc::ScopeKind::integration,
        scope.id};
}

Result<ipc::Manifest> manifest_of(Db& db, const KeyScope& scope) {
    auto list = signed_list(db, scope);
    if (!list) return pass_on(list);
    return to_ipc(*list);
}

Result<void> add_manifest(Db& db, const KeyScope& scope, std::vector<ipc::Manifest>& manifests) {
    const auto wanted = scope_for_runner(scope);
    for (const ipc::Manifest& there : manifests)
        if (there.scope.kind == wanted.kind && there.scope.id == wanted.id) return {};
    auto manifest = manifest_of(db, scope);
    if (!manifest) return pass_on(manifest);
    manifests.push_back(std::move(*manifest));
    return {};
}

Result<std::vector<ipc::Manifest>> manifests_now(Db& db, std::vector<ipc::RunSecret>& secrets) {
    std::vector<ipc::Manifest> manifests;
    for (ipc::RunSecret& secret : secrets) {
        const ipc::FieldRef& where = secret.where;
        const KeyScope scope = scope_in_store(where.scope);
        auto now = envelope_of(db, scope, where.connector_id, where.field, where.version);
        if (now && *now != secret.envelope) {
            auto key = data_key_of(db, scope, *now);
            if (!key) return pass_on(key);
            secret.data_key = to_ipc(*key);
            secret.envelope = std::move(*now);
        }
        if (auto added = add_manifest(db, scope, manifests); !added) return pass_on(added);
    }
    return manifests;
}

Result<void> use_keys_of_now(Db& db, std::vector<ipc::JobSeal>& seals) {
    for (ipc::JobSeal& seal : seals) {
        auto key = get_data_key(db, scope_in_store(seal.where.scope));
        if (!key) return pass_on(key);
        seal.data_key = to_ipc(*key);
    }
    return {};
}

bool are_latest(Db& db, const std::vector<ipc::Manifest>& manifests) {
    return std::ranges::all_of(manifests, [&](const ipc::Manifest& manifest) {
        return get_manifest(db, scope_in_store(manifest.scope)).counter == manifest.counter;
    });
}

struct Manifests::Change {
    KeyScope scope;
    std::function<Result<void>(Db&)> op;
    Done<void> done;
    int tries = 0;

    // What the rehearsal has found. Written on the store's thread before its answer.
    enum class Found { nothing_yet, no_difference, difference };
    Found found = Found::nothing_yet;
    SignedList before;
    std::vector<ManifestEntry> after;
    DataKeyRow key;

    ManifestRow next;
    bool outpaced = false;
};

void Manifests::submit(KeyScope scope, std::function<Result<void>(Db&)> op, Done<void> done) {
    auto change = std::make_shared<Change>();
    change->scope = scope;
    change->op = std::move(op);
    change->done = std::move(done);
    auto& queue = queues_[{scope.kind, scope.id}];
    queue.push_back(change);
    if (queue.size() == 1) rehearse(std::move(change));
}

// Refuses at its end, so that what it did is undone; the change's `found` tells that apart
// from a refusal of the operation itself.
void Manifests::rehearse(ChangePtr change) {
    change->found = Change::Found::nothing_yet;
    store_.write(
        [change](Db& db) -> Result<void> {
            auto before = signed_list(db, change->scope);
            if (!before) return pass_on(before);
            change->before = std::move(*before);
            if (auto done = change->op(db); !done) return done;
            change->after = secrets_of(db, change->scope);
            change->found = Change::Found::no_difference;
            auto key = get_data_key(db, change->scope);
            const auto& row = change->before.manifest;
            const bool listed =
                row.counter > 0 ? key && row.key_id == key->id : change->after.empty();
            if (change->before.entries == change->after && listed) return {};
            if (!key) return pass_on(key);
            change->key = std::move(*key);
            change->found = Change::Found::difference;
            return fail(FailureKind::conflict, "this was a rehearsal");
        },
        while_alive_([this, change](Result<void> result) {
            if (change->found != Change::Found::difference)
                return finish(change, std::move(result));
            make_mac(change);
        }));
}

void Manifests::make_mac(ChangePtr change) {
    ipc::MakeManifest question;
    question.before = to_ipc(change->before);
    question.data_key = to_ipc(change->key);
    question.entries = to_ipc(change->after);
    runner_.ask(
        std::move(question),
        Callback<void(Result<ipc::ManifestMade>)>{[this, change](Result<ipc::ManifestMade> made) {
            if (!made) return finish(change, pass_on(made));
            change->next = {change->scope, change->key.id, change->before.manifest.counter + 1,
                            std::move(made->mac)};
            write(change);
        }});
}

void Manifests::write(ChangePtr change) {
    change->outpaced = false;
    store_.write(
        [change](Db& db) -> Result<void> {
            const auto outpaced = [&] {
                change->outpaced = true;
                return fail(FailureKind::conflict,
                            "the secrets of {} {} are being changed by somebody else; try again",
                            to_string(change->scope.kind), change->scope.id);
            };
            auto before = signed_list(db, change->scope);
            if (!before || before->manifest.counter != change->before.manifest.counter ||
                before->entries != change->before.entries)
                return outpaced();
            if (auto done = change->op(db); !done) return done;
            if (secrets_of(db, change->scope) != change->after) return outpaced();
            // The key that a field was sealed under may have been replaced and dropped.
            for (const ManifestEntry& entry : change->after)
                if (auto key = get_data_key(db, entry.key_id); !key)
                    return fail(FailureKind::busy, "the key of '{}' is being replaced; try again",
                                entry.field);
            return put_manifest(db, change->next);
        },
        while_alive_([this, change](Result<void> result) {
            if (!result && change->outpaced && ++change->tries < kTries) return rehearse(change);
            if (result) runner_.anchor(scope_for_runner(change->scope), change->next.counter);
            finish(change, std::move(result));
        }));
}

void Manifests::finish(ChangePtr change, Result<void> result) {
    const auto queue = queues_.find({change->scope.kind, change->scope.id});
    queue->second.pop_front();
    if (queue->second.empty())
        queues_.erase(queue);
    else
        rehearse(queue->second.front());
    change->done(std::move(result));
}

void Manifests::complete(Done<void> done) {
    store_.read(
        [](Db& db) { return scopes_without_manifest(db, kScopes); },
        while_alive_([this, done = std::move(done)](Result<std::vector<KeyScope>> scopes) mutable {
            if (!scopes) return done(pass_on(scopes));
            if (!scopes->empty())
                log_info("making the first lists of secrets", {{"scopes", scopes->size()}});
            complete_next(std::make_shared<std::vector<KeyScope>>(std::move(*scopes)),
                          std::move(done));
        }));
}

// One that the runner refuses stays without: its runs are refused, with the reason.
void Manifests::complete_next(std::shared_ptr<std::vector<KeyScope>> left, Done<void> done) {
    if (left->empty()) return done({});
    const KeyScope scope = left->back();
    left->pop_back();
    submit(
        scope, [](Db&) -> Result<void> { return {}; },
        [this, scope, left, done = std::move(done)](Result<void> made) mutable {
            if (!made)
                log_error("cannot make the list of secrets",
                          {{"of", fmt::format("{} {}", to_string(scope.kind), scope.id)},
                           {"reason", made.error().message}});
            complete_next(left, std::move(done));
        });
}

}  // namespace berth
