#include "tests/daemon/key_house.h"

#include <algorithm>

#include "store/connectors.h"
#include "store/manifests.h"
#include "store/vault_view.h"

namespace berth::test {

vault::RootKey root_key(char fill) {
    std::string bytes(vault::kKeyBytes, fill);
    bytes[0] = static_cast<char>(fill + 1);
    return vault::make_root_key(Secret{bytes});
}

// ---- the runner

KeyRunner::KeyRunner(Loop& loop, const std::filesystem::path& dir)
    : loop_{loop},
      dir_{dir},
      listener_{loop, Listener::bind(dir / "runner.sock", 0600, SOCK_SEQPACKET).value(),
                [this](Fd connected) { serve(std::move(connected)); }} {
    restart();
}

void KeyRunner::use_roots(char current, std::vector<char> previous) {
    root_ = current;
    previous_ = std::move(previous);
    restart();
}

void KeyRunner::restart() {
    channel_.reset();  // nothing that was sent to the old one is heard by the new one
    std::vector<vault::RootKey> previous;
    for (const char fill : previous_)
        previous.push_back(root_key(fill));
    if (keys_ && keys_->anchors_unsaved()) keys_->save_anchors();
    keys_.emplace(root_key(root_), std::move(previous));
    keys_->keep_anchors_in(dir_);
    dead_ = false;
}

void KeyRunner::die_at(std::int64_t message, Dies how) {
    messages_ = 0;
    die_at_ = message;
    dies_ = how;
}

void KeyRunner::serve(Fd connected) {
    channel_ = std::make_unique<ipc::Channel>(
        loop_, std::move(connected),
        ipc::Channel::Events{
            [this](ipc::MessageType type, std::string_view payload) { heard(type, payload); },
            [](const std::string&) {}});
    channel_->send(ipc::LiveRuns{});
    ipc::RunnerHello hello;
    hello.root_key_id = keys_->root_key_id();
    hello.previous_root_keys = keys_->previous_root_key_ids();
    hello.launcher_present = true;
    channel_->send(hello);
}

void KeyRunner::heard(ipc::MessageType type, std::string_view payload) {
    if (dead_) return;
    const bool last = dies_ != Dies::never && ++messages_ == die_at_;
    if (last && dies_ == Dies::before) {
        dead_ = true;
        return;
    }
    const auto take =
        [&]<typename Answer, typename Message>(Answer (runner::Keys::*handle)(const Message&)) {
            if (type != Message::kType) return;
            const auto message = ipc::decode<Message>(payload).value();
            if constexpr (std::is_void_v<Answer>) {
                ((*keys_).*handle)(message);
            } else {
                const auto answer = ((*keys_).*handle)(message);
                if (!last) channel_->send(answer);
            }
        };
    take(&runner::Keys::load);
    take(&runner::Keys::new_data_key);
    take(&runner::Keys::seal);
    take(&runner::Keys::new_kek);
    take(&runner::Keys::rewrap_keks);
    take(&runner::Keys::rewrap_data_keys);
    take(&runner::Keys::reseal);
    take(&runner::Keys::make_manifest);
    take(&runner::Keys::anchor);
    take(&runner::Keys::accept_restore);
    if (last) dead_ = true;
}

// ---- berthd

KeyDaemon::KeyDaemon(Loop& loop, const std::filesystem::path& dir)
    : store{must(make_store(dir / "store", loop))},
      link{loop, dir / "runner.sock",
           [this] {
               RunnerLink::Events events{};
               events.on_hello = [this](const ipc::RunnerHello&) { came(); };
               events.on_live_runs = [](const std::vector<ipc::RunName>&) {};
               events.on_live_jobs = [](const auto&) {};
               events.on_lost = [](const std::string&) {};
               return events;
           }()},
      keys{*store, link, clock},
      rotation{{loop, clock, *store, link, keys}},
      vault{{clock, *store, link, keys, rotation}} {
    link.connect();
}

void KeyDaemon::came() {
    if (std::exchange(loading_, true)) return;
    keys.load([this](Result<void> loaded) {
        loading_ = false;
        if (loaded && link.keys_loaded()) rotation.go_on();
    });
}

// ---- both

KeyHouse::KeyHouse(int tenant_count, int fields) {
    std::filesystem::create_directories(dir.path() / "store");
    start_daemon();
    integration = must(write_now(*daemon->store, loop, [&](Db& db) -> Result<IntegrationId> {
        const Integration shop = add_integration(db, "shop");
        must(create_connector(db, kBy, "crm", "custom"));
        must(attach_connector(db, kBy, shop.id, {"crm", false}));
        for (int i = 0; i < tenant_count; ++i)
            tenants.push_back(add_tenant(db, shop.id, fmt::format("t{}", i)).id);
        return shop.id;
    }));
    values.resize(tenants.size());
    for (std::size_t i = 0; i < tenants.size(); ++i)
        for (int field = 0; field < fields; ++field)
            values[i][fmt::format("field{}", field)] = fmt::format("value {} of {}", field, i);
}

KeyHouse::~KeyHouse() { kill_daemon(); }

void KeyHouse::start_daemon() {
    daemon = std::make_unique<KeyDaemon>(loop, dir.path());
    ready();
}

void KeyHouse::kill_daemon() {
    if (!daemon) return;
    daemon->rotation.close();
    daemon->link.close();
    daemon.reset();
    for (int i = 0; i < 3; ++i)
        uv_run(loop.raw(), UV_RUN_NOWAIT);
}

void KeyHouse::kill_runner() { runner.restart(); }

void KeyHouse::ready() {
    run_until(loop, [this] { return daemon->link.ready(); });
}

Result<Connection> KeyHouse::store(std::size_t tenant, std::map<std::string, std::string> fields) {
    std::map<std::string, Secret> secrets;
    for (const auto& [name, value] : fields)
        secrets.emplace(name, Secret{value});
    Wait<Connection> wait{loop};
    daemon->keys.store_secrets({"uid 0"}, {integration, tenants[tenant]}, "crm", std::move(secrets),
                               wait.callback());
    return wait.get();
}

void KeyHouse::fill() {
    for (std::size_t i = 0; i < tenants.size(); ++i)
        must(store(i, values[i]));
}

Result<KeyHouse::Sealed> KeyHouse::sealed(std::size_t tenant) {
    const KeyScope scope{KeyScope::Kind::tenant, tenants[tenant].value};
    return read_now(*daemon->store, loop, [scope](Db& db) -> Result<Sealed> {
        Sealed all;
        auto manifest = manifest_of(db, scope);
        if (!manifest) return pass_on(manifest);
        all.manifests.push_back(std::move(*manifest));
        for (const Row& row :
             db.query("select connector_id, field, version, envelope from secrets join connections"
                      " on connections.id = connection_id where connections.tenant_id = $1"
                      " order by field",
                      {scope.id})) {
            ipc::RunSecret secret;
            secret.where = {scope_for_runner(scope), row.integer(0), row.text(1),
                            static_cast<std::uint64_t>(row.integer(2))};
            secret.envelope = row.text(3);
            auto key = data_key_of(db, scope, secret.envelope);
            if (!key) return pass_on(key);
            secret.data_key = {key->id, key->envelope};
            all.secrets.push_back(std::move(secret));
        }
        return all;
    });
}

bool KeyHouse::Sealed::is_copy_of(const Sealed& other) const {
    const auto same_secret = [](const ipc::RunSecret& a, const ipc::RunSecret& b) {
        return a.envelope == b.envelope && a.data_key.envelope == b.data_key.envelope;
    };
    const auto same_list = [](const ipc::Manifest& a, const ipc::Manifest& b) {
        return a.counter == b.counter && a.mac == b.mac &&
               a.data_key.envelope == b.data_key.envelope;
    };
    return std::ranges::equal(secrets, other.secrets, same_secret) &&
           std::ranges::equal(manifests, other.manifests, same_list);
}

std::optional<Failure> KeyHouse::open(std::size_t tenant) {
    auto stored = sealed(tenant);
    if (!stored) return stored.error();
    auto opened = runner.keys().open(stored->secrets, stored->manifests);
    while (!opened) {
        auto now = sealed(tenant);
        if (!now) return now.error();
        if (now->is_copy_of(*stored)) return opened.error();
        ++overtaken;
        stored = std::move(now);
        opened = runner.keys().open(stored->secrets, stored->manifests);
    }
    std::map<std::string, std::string> found;
    for (std::size_t i = 0; i < opened->size(); ++i)
        found[stored->secrets[i].where.field] = (*opened)[i].reveal();
    if (found != values[tenant])
        return Failure{FailureKind::invalid, "the values are not those that were stored", {}};
    return {};
}

std::optional<Failure> KeyHouse::open_all() {
    for (std::size_t i = 0; i < tenants.size(); ++i)
        if (auto failed = open(i)) return failed;
    return {};
}

Result<void> KeyHouse::rotate(RotationInput input) {
    Wait<void> wait{loop};
    daemon->rotation.rotate(kBy, input, wait.callback());
    return wait.get();
}

bool KeyHouse::rotating() {
    const auto rotation = view().rotation;
    return rotation && !rotation->finished;
}

void KeyHouse::rotate_to_the_end(RotationInput input) {
    must(rotate(input));
    run_until(loop, [this] { return !rotating(); });
}

VaultView KeyHouse::view() {
    return must(read_now(*daemon->store, loop, [](Db& db) { return look_at_vault(db); }));
}

void KeyHouse::tamper(const std::function<void(Db&)>& how) {
    kill_daemon();
    {
        const auto db = connect_again(dir.path() / "store");
        how(*db);
    }
    start_daemon();
}

}  // namespace berth::test
