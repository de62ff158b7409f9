// Every change of sealed fields goes through here, so that the list of a scope's secrets and
// its MAC change with them, in one transaction. The runner makes the MAC, and the store cannot
// wait for it: so a change is rehearsed and rolled back, the MAC is made for what it would
// leave behind, and then it is done, if all is still as it was.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "control/api.h"
#include "daemon/runner_link.h"
#include "daemon/while_alive.h"
#include "store/keys.h"
#include "store/store.h"

namespace berth {

ipc::Scope scope_for_runner(const KeyScope& scope);
// For messages that hand sealed fields to the runner. Thread: store.
Result<ipc::Manifest> manifest_of(Db& db, const KeyScope& scope);
// That of the scope, unless it is among them.
Result<void> add_manifest(Db& db, const KeyScope& scope, std::vector<ipc::Manifest>& manifests);
// Those of all scopes of `secrets`, which were read a while ago: what was sealed anew since
// then becomes what it is now.
Result<std::vector<ipc::Manifest>> manifests_now(Db& db, std::vector<ipc::RunSecret>& secrets);
// Each becomes the key that its scope has now: the one it had when the seals were made may be
// gone before what is sealed under it comes back. Thread: store.
Result<void> use_keys_of_now(Db& db, std::vector<ipc::JobSeal>& seals);
// Whether no list of these scopes has changed since they were read. Thread: store.
bool are_latest(Db& db, const std::vector<ipc::Manifest>& manifests);

// Thread: loop.
class Manifests {
public:
    Manifests(Store& store, RunnerLink& runner) : store_{store}, runner_{runner} {}

    // As Store::write, for an `op` that changes sealed fields of `scope` and of no other. It
    // may run several times, and all but the last time is rolled back. Changes of one scope
    // are done one after the other.
    template <typename T>
    void change(KeyScope scope, std::function<Result<T>(Db&)> op, Done<T> done);

    // Makes the first list of every scope that has secrets and none: after an upgrade.
    void complete(Done<void> done);

private:
    struct Change;
    using ChangePtr = std::shared_ptr<Change>;
    void submit(KeyScope scope, std::function<Result<void>(Db&)> op, Done<void> done);
    void rehearse(ChangePtr change);
    void make_mac(ChangePtr change);
    void write(ChangePtr change);
    void finish(ChangePtr change, Result<void> result);
    void complete_next(std::shared_ptr<std::vector<KeyScope>> left, Done<void> done);

    Store& store_;
    RunnerLink& runner_;
    // The first of each queue is under way.
    std::map<std::pair<KeyScope::Kind, std::int64_t>, std::deque<ChangePtr>> queues_;
    WhileAlive while_alive_;
};

template <typename T>
void Manifests::change(KeyScope scope, std::function<Result<T>(Db&)> op, Done<T> done) {
    auto value = std::make_shared<std::optional<Result<T>>>();
    submit(
        scope,
        [op = std::move(op), value](Db& db) -> Result<void> {
            *value = op(db);
            if (!**value) return tl::unexpected<Failure>{(*value)->error()};
            return {};
        },
        [value, done = std::move(done)](Result<void> result) mutable {
            if (!result) return done(pass_on(result));
            done(std::move(**value));
        });
}

}  // namespace berth
