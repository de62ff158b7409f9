#include "daemon/keys.h"

#include <cerrno>
#include <utility>

#include "base/log.h"
#include "store/settings.h"

namespace berth {
namespace {

struct StoredKeys {
    std::string install_id;
    std::vector<KekRow> keks;
};

// Somebody replaces a key while a secret is being sealed under it: rare, and over soon.
constexpr int kTries = 3;

}  // namespace

struct Keys::Sealing {
    Place place;
    DataKeyRow key;
    std::vector<std::pair<std::string, Secret>> left;
    std::vector<SealedField> sealed;
    Done<std::vector<SealedField>> done;
};

// One write of secrets on its way through the runner.
struct Keys::Storing {
    std::string actor;
    SecretReservation reservation;
    std::map<std::string, Secret> secrets;
    Done<Connection> done;
    int tries = 0;
};

void Keys::load(Done<void> done) {
    load_next_.push_back(std::move(done));
    if (loading_.empty()) load_next();
}

void Keys::load_next() {
    loading_ = std::exchange(load_next_, {});
    load_now(while_alive_([this](Result<void> loaded) {
        for (Done<void>& done : std::exchange(loading_, {}))
            done(loaded);
        if (loading_.empty() && !load_next_.empty()) load_next();
    }));
}

void Keys::load_now(Done<void> done) {
    store_.write(
        [by = By{"berthd", clock_.now()}](Db& db) -> Result<StoredKeys> {
            auto id = install_id(db, by);
            if (!id) return pass_on(id);
            return StoredKeys{std::move(*id), list_keks(db)};
        },
        while_alive_([this, done = std::move(done)](Result<StoredKeys> stored) mutable {
            if (!stored) return done(pass_on(stored));
            ipc::LoadKeys keys;
            keys.install_id = stored->install_id;
            for (KekRow& kek : stored->keks)
                keys.keks.push_back({kek.term, std::move(kek.envelope)});
            runner_.load_keys(std::move(keys), [this, done = std::move(done)](
                                                   Result<ipc::KeysLoaded> loaded) mutable {
                if (!loaded) return done(pass_on(loaded));
                // Asking again would not help: the root key is another one.
                if (!loaded->ok) return done(fail(FailureKind::denied, "{}", loaded->why));
                if (loaded->fresh.empty()) return manifests_.complete(std::move(done));
                store_.write(
                    [fresh = loaded->fresh,
                     by = By{"berthd", clock_.now()}](Db& db) -> Result<void> {
                        for (const ipc::WrappedKey& key : fresh)
                            if (auto added = add_kek(db, by, {key.id, key.envelope}); !added)
                                return added;
                        return {};
                    },
                    while_alive_([this, done = std::move(done)](Result<void> added) mutable {
                        if (!added) return done(std::move(added));
                        runner_.fresh_keys_stored();
                        manifests_.complete(std::move(done));
                    }));
            });
        }));
}

bool Keys::lacks_key(const ipc::Ended& ended) {
    if (ended.kind != ipc::EndKind::setup_failed) return false;
    if (ended.number == EKEYREJECTED)
        store_.finish(
            [by = By{"berth-runner", clock_.now()}, run = ended.run_id, why = ended.text](Db& db) {
                audit(db, by, "secret.refused", fmt::format("run {}", run), why);
            },
            [](Result<void> written) {
                if (!written)
                    log_error("cannot record that secrets were refused",
                              {{"reason", written.error().message}});
            });
    return ended.number == ENOKEY;
}

void Keys::make_data_key(const KeyScope& scope, Done<DataKeyRow> done) {
    store_.write(
        [](Db& db) { return reserve_data_key_id(db); },
        while_alive_([this, scope, done = std::move(done)](Result<std::uint32_t> id) mutable {
            if (!id) return done(pass_on(id));
            runner_.new_data_key(
                scope_for_runner(scope), *id,
                [scope, done = std::move(done)](Result<ipc::DataKey> made) mutable {
                    if (!made) return done(pass_on(made));
                    done(DataKeyRow{made->key.id, scope, made->kek_term,
                                    std::move(made->key.envelope)});
                });
        }));
}

void Keys::with_data_key(const KeyScope& scope, const std::string& actor, Done<DataKeyRow> done) {
    auto store_it = [this, actor](DataKeyRow row, Done<DataKeyRow> answer) {
        store_.write(
            [row = std::move(row), by = By{actor, clock_.now()}](Db& db) -> Result<DataKeyRow> {
                // Two writes of one tenant's secrets at once: the first key serves both.
                if (auto first = get_data_key(db, row.scope)) return first;
                auto added = add_data_key(db, by, row);
                if (!added) return pass_on(added);
                return row;
            },
            std::move(answer));
    };
    store_.read([scope](Db& db) { return get_data_key(db, scope); },
                while_alive_([this, scope, store_it,
                              done = std::move(done)](Result<DataKeyRow> key) mutable {
                    if (key || key.error().kind != FailureKind::not_found)
                        return done(std::move(key));
                    make_data_key(
                        scope, [store_it, done = std::move(done)](Result<DataKeyRow> made) mutable {
                            if (!made) return done(pass_on(made));
                            store_it(std::move(*made), std::move(done));
                        });
                }));
}

void Keys::seal(const std::string& actor, const Place& place,
                const std::map<std::string, Secret>& secrets, Done<std::vector<SealedField>> done) {
    auto sealing = std::make_shared<Sealing>();
    sealing->place = place;
    for (const auto& [name, value] : secrets)
        sealing->left.emplace_back(name, Secret{value.reveal()});
    sealing->done = std::move(done);
    with_data_key(place.scope, actor, [this, sealing](Result<DataKeyRow> key) {
        if (!key) return sealing->done(pass_on(key));
        sealing->key = std::move(*key);
        seal_next(sealing);
    });
}

void Keys::seal_next(std::shared_ptr<Sealing> sealing) {
    if (sealing->left.empty()) return sealing->done(std::move(sealing->sealed));
    auto [field, value] = std::move(sealing->left.back());
    sealing->left.pop_back();
    const auto& [scope, connector, version] = sealing->place;
    runner_.seal({sealing->key.id, sealing->key.envelope},
                 {scope_for_runner(scope), connector.value, field, version}, std::move(value),
                 [this, sealing, name = field](Result<std::string> envelope) {
                     if (!envelope) return sealing->done(pass_on(envelope));
                     sealing->sealed.push_back({name, std::move(*envelope)});
                     seal_next(sealing);
                 });
}

void Keys::store_secrets(Caller who, ConnectionOwner owner, std::string connector,
                         std::map<std::string, Secret> secrets, Done<Connection> done) {
    auto storing = std::make_shared<Storing>();
    storing->actor = who.name;
    storing->secrets = std::move(secrets);
    storing->done = std::move(done);
    store_.write([by = By{who.name, clock_.now()}, owner, connector = std::move(connector)](
                     Db& db) { return reserve_secrets(db, by, owner, connector); },
                 [this, storing](Result<SecretReservation> reserved) {
                     if (!reserved) return storing->done(pass_on(reserved));
                     storing->reservation = std::move(*reserved);
                     seal_and_store(storing);
                 });
}

void Keys::seal_and_store(std::shared_ptr<Storing> storing) {
    const auto& reserved = storing->reservation;
    seal(storing->actor, {reserved.scope, reserved.connection.connector_id, reserved.version},
         storing->secrets, [this, storing](Result<std::vector<SealedField>> sealed) {
             if (!sealed) return storing->done(pass_on(sealed));
             const auto& [connection, scope, version] = storing->reservation;
             manifests_.change<Connection>(
                 scope,
                 [by = By{storing->actor, clock_.now()}, id = connection.id, version = version,
                  fields = std::move(*sealed)](Db& db) {
                     return set_secrets(db, by, id, version, fields);
                 },
                 [this, storing](Result<Connection> set) {
                     const bool again =
                         !set && set.error().kind == FailureKind::busy && ++storing->tries < kTries;
                     if (again) return seal_and_store(storing);
                     storing->done(std::move(set));
                 });
         });
}

}  // namespace berth
