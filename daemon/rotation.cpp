#include "daemon/rotation.h"

#include <utility>

#include "base/log.h"

namespace berth {
namespace {

using namespace std::chrono_literals;

constexpr auto kAgain = 2s;     // after trouble
constexpr auto kSweep = 10min;  // for keys that a live run may still need

// As the ids in envelopes are: how the root key's begins.
Result<std::uint32_t> short_root_id(const RunnerLink& runner) {
    const auto& hello = runner.hello();
    if (!hello || hello->root_key_id.size() < 4 || !runner.keys_loaded())
        return fail(FailureKind::unavailable, "berth-runner is not there, or has no keys yet");
    std::uint32_t id = 0;
    for (const char c : hello->root_key_id.substr(0, 4))
        id = id << 8 | static_cast<unsigned char>(c);
    return id;
}

}  // namespace

Rotation::Rotation(Parts parts) : parts_{parts}, again_{parts.loop, [this] { next(); }} {}

// ---- beginning

void Rotation::rotate(const By& by, RotationInput input, Done<void> done) {
    std::optional<KeyScope> scope;
    if (input.tenant) scope = KeyScope{KeyScope::Kind::tenant, input.tenant->value};
    if (input.integration) scope = KeyScope{KeyScope::Kind::integration, input.integration->value};
    if (input.kind == RotationKind::kek) return rotate_kek(by, std::move(done));
    begin(by, input.kind, scope, std::move(done));
}

void Rotation::begin(const By& by, RotationKind kind, std::optional<KeyScope> scope,
                     Done<void> done) {
    const auto root = short_root_id(parts_.runner);
    if (!root) return done(tl::unexpected<Failure>{root.error()});
    parts_.store.write(
        [by, kind, scope, root = *root](Db& db) -> Result<void> {
            if (scope)
                if (auto key = get_data_key(db, *scope); !key) return pass_on(key);
            const auto target = kind == RotationKind::root ? root : newest_data_key(db);
            auto begun = begin_rotation(db, by, kind, scope, target);
            if (!begun) return pass_on(begun);
            return {};
        },
        [this, alive = alive_, done = std::move(done)](Result<void> begun) mutable {
            if (!*alive) return;
            if (begun) go_on();
            done(std::move(begun));
        });
}

// The new key and the rotation to it are stored in one transaction.
void Rotation::rotate_kek(const By& by, Done<void> done) {
    parts_.store.read(
        [](Db& db) -> std::uint32_t {
            const auto keks = list_keks(db);
            return keks.empty() ? 1 : keks.back().term + 1;
        },
        [this, alive = alive_, by, done = std::move(done)](Result<std::uint32_t> term) mutable {
            if (!*alive) return;
            if (!term) return done(pass_on(term));
            auto store_it = [this, by, term = *term](ipc::KekMade made, Done<void> answer) {
                parts_.store.write(
                    [by, term, key = std::move(made.key)](Db& db) -> Result<void> {
                        auto begun = begin_rotation(db, by, RotationKind::kek, {}, term);
                        if (!begun) return pass_on(begun);
                        return add_kek(db, by, {term, key.envelope});
                    },
                    std::move(answer));
            };
            parts_.runner.ask(
                ipc::NewKek{0, *term},
                Callback<void(Result<ipc::KekMade>)>{
                    [this, store_it, done = std::move(done)](Result<ipc::KekMade> made) mutable {
                        if (!made) return done(pass_on(made));
                        store_it(std::move(*made), [this, alive2 = alive_, done = std::move(done)](
                                                       Result<void> stored) mutable {
                            if (!*alive2) return;
                            if (stored) go_on();
                            done(std::move(stored));
                        });
                    }});
        });
}

// ---- going on

void Rotation::go_on() {
    if (!busy_) next();
}

void Rotation::next() {
    if (closed_ || std::exchange(busy_, true)) return;
    again_.stop();
    parts_.store.write(
        [by = by()](Db& db) -> Result<RotationRow> {
            auto last = last_rotation(db);
            if (last && !last->finished) return *last;
            // What is left is the dropping of old keys.
            if (drop_unused_keks(db, by)) return RotationRow{};
            RotationRow waiting;
            waiting.id = -1;
            return waiting;
        },
        [this, alive = alive_](Result<RotationRow> rotation) {
            if (!*alive) return;
            if (!rotation) return stepped(pass_on(rotation));
            if (rotation->id <= 0) {
                busy_ = false;
                trouble_.clear();
                if (rotation->id < 0 && !closed_) again_.start(kSweep);
                return;
            }
            switch (rotation->kind) {
                case RotationKind::root: return root_step(*rotation);
                case RotationKind::kek: return kek_step(*rotation);
                case RotationKind::data: return data_step(*rotation);
            }
        });
}

void Rotation::stepped(Result<void> result) {
    busy_ = false;
    if (closed_) return;
    if (result) {
        trouble_.clear();
        return next();
    }
    if (trouble_ != result.error().message)
        log_warning("the rotation of keys does not go on, trying again",
                    {{"reason", result.error().message}});
    trouble_ = result.error().message;
    again_.start(kAgain);
}

void Rotation::finish(const RotationRow& rotation) {
    parts_.store.write(
        [by = by(), rotation](Db& db) -> Result<void> {
            if (rotation_left(db, rotation) != 0)
                return fail(FailureKind::conflict, "there is more to do again");
            finish_rotation(db, by, rotation);
            return {};
        },
        [this, alive = alive_, rotation](Result<void> finished) {
            if (!*alive) return;
            if (finished)
                log_info("the rotation of keys is over", {{"what", to_string(rotation.kind)}});
            stepped(std::move(finished));
        });
}

// ---- root key

void Rotation::root_step(const RotationRow& rotation) {
    const auto root = short_root_id(parts_.runner);
    if (!root) return stepped(tl::unexpected<Failure>{root.error()});
    if (*root != rotation.target)
        return stepped(fail(FailureKind::conflict,
                            "it was begun for the root key whose id begins with {:08x}, and "
                            "berth-runner's begins with {:08x}; give it that one as 'root_key'",
                            rotation.target, *root));
    parts_.store.read(
        [root = *root](Db& db) { return keks_of_other_roots(db, root); },
        [this, alive = alive_, rotation](Result<std::vector<KekRow>> keks) {
            if (!*alive) return;
            if (!keks) return stepped(pass_on(keks));
            if (keks->empty()) return finish(rotation);
            ipc::RewrapKeks question;
            for (const KekRow& kek : *keks)
                question.keks.push_back({kek.term, kek.envelope});
            parts_.runner.ask(
                std::move(question),
                Callback<void(Result<ipc::Rewrapped>)>{[this, alive, before = std::move(*keks)](
                                                           Result<ipc::Rewrapped> wrapped) {
                    if (!*alive) return;
                    if (!wrapped) return stepped(pass_on(wrapped));
                    parts_.store.write([by = by(), before, after = std::move(wrapped->envelopes)](
                                           Db& db) { return replace_keks(db, by, before, after); },
                                       [this, alive](Result<void> done) {
                                           if (*alive) stepped(std::move(done));
                                       });
                }});
        });
}

// ---- key-encryption key

// The runner is given its keys again whenever it does not wrap with the newest: it has come,
// or the key was stored just now.
void Rotation::kek_step(const RotationRow& rotation) {
    parts_.store.read(
        [term = rotation.target](Db& db) { return data_keys_before(db, term, kBatch); },
        [this, alive = alive_, rotation](Result<std::vector<DataKeyRow>> keys) {
            if (!*alive) return;
            if (!keys) return stepped(pass_on(keys));
            if (keys->empty()) return finish(rotation);
            ipc::RewrapDataKeys question;
            for (const DataKeyRow& key : *keys)
                question.keys.push_back({scope_for_runner(key.scope), {key.id, key.envelope}});
            parts_.runner.ask(
                std::move(question),
                Callback<void(Result<ipc::Rewrapped>)>{[this, alive, rotation,
                                                        before = std::move(*keys)](
                                                           Result<ipc::Rewrapped> made) {
                    if (!*alive) return;
                    if (!made) return stepped(pass_on(made));
                    if (made->kek_term < rotation.target)
                        return parts_.keys.load([this, alive](Result<void> loaded) {
                            if (*alive) stepped(std::move(loaded));
                        });
                    parts_.store.write(
                        [by = by(), before, made = std::move(*made)](Db& db) {
                            return replace_data_keys(db, by, before, made.envelopes, made.kek_term);
                        },
                        [this, alive](Result<void> done) {
                            if (*alive) stepped(std::move(done));
                        });
                }});
        });
}

}  // namespace berth
