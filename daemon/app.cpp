// How berthd starts: every part (app_impl.h) is given its routes, checks and metrics, then
// the last one's runs are put in order, then peers are answered. And the settings again.
#include <signal.h>
#include <unistd.h>

#include "base/loop/signals.h"
#include "control/public/connect_routes.h"
#include "control/public/hooks.h"
#include "control/public/oauth_routes.h"
#include "control/public/routes.h"
#include "control/routes.h"
#include "daemon/app_impl.h"
#include "daemon/doctor.h"
#include "daemon/kind_forms.h"
#include "daemon/recovery.h"
#include "daemon/reload.h"
#include "model/limits.h"
#include "source/archive.h"

namespace berth {
namespace {

void tell_troubles(const KindBook& kinds) {
    for (const std::string& trouble : kinds.troubles())
        log_error("a connector kind is not used", {{"why", trouble}});
}

}  // namespace

AppImpl::AppImpl(Config config, Sockets sockets, std::filesystem::path config_file,
                 std::unique_ptr<Loop> loop, std::unique_ptr<Store> store)
    : config_{std::move(config)},
      config_file_{std::move(config_file)},
      loop_{std::move(loop)},
      store_{std::move(store)},
      sockets_{std::move(sockets)} {
    tell_troubles(kinds_);
    add_routes();
    add_checks();
    connections_.use_oauth(oauth_, [this](Caller who, const ConnectionMaterial& material) {
        oauth_.revoke(std::move(who), material);
    });
    auth_links_.use_oauth(oauth_);
    leases_.tell(flow_);
    store_->on_broken([this](const Failure& why) { store_broke(why); });
}

void AppImpl::add_routes() {
    add_control_routes(router_, {.api = api_,
                                 .connections = connections_,
                                 .calls = calls_,
                                 .jobs = job_records_,
                                 .vault = vault_,
                                 .webhooks = hook_addresses_,
                                 .oauth = oauth_});
    add_up_route(public_router_);
    add_oauth_routes(public_router_, oauth_, clock_, config_.public_url);
    add_auth_link_routes(public_router_, auth_links_, clock_, config_.public_url);
    add_hook_routes(public_router_, hooks_,
                    static_cast<std::size_t>(config_.webhook_body_mib) * limits::MiB);
}

void AppImpl::add_checks() {
    api_.add_check([this] { return check_kinds(kinds_); });
    api_.add_check([this] {
        return check_public(public_server_ ? Served::yes : Served::no, config_.public_url);
    });
    api_.add_metric([this] { return hooks_.metric(); });
    api_.add_metric([this] { return hooks_.macs(); });
    api_.add_metric([this] { return job_metric(jobs_.counts()); });
    api_.add_metric([this] { return token_metric(tokens_.counts()); });
}

int AppImpl::run() {
    Signals signals{*loop_, {SIGTERM, SIGINT}, [this](int signo) { stop(signo); }};
    Signals hangup{*loop_, {SIGHUP}, [this](int) { reload(); }};
    recover();
    loop_->run();
    return exit_code_;
}

// What the last berthd left is put in order before anybody is answered.
void AppImpl::recover() {
    store_->finish([now = clock_.now()](Db& db) { return recover_runs(db, now); },
                   [this](Result<Recovered> recovered) {
                       if (!recovered) return store_broke(recovered.error());
                       log_info("recovered", {{"waiting_again", recovered->waiting_again},
                                              {"handed_over", recovered->handed_over.size()}});
                       for (const HandedOver& run : recovered->handed_over) {
                           engine_.adopt(run.run.id);
                           flow_.expect(run);
                       }
                       serve();
                   });
}

void AppImpl::serve() {
    if (stopping_) return;
    server_.emplace(*loop_, clock_, std::move(sockets_.control), router_, server_options());
    if (sockets_.open)
        public_server_.emplace(*loop_, clock_, std::move(sockets_.open), public_router_,
                               public_options());
    runner_.connect();
    schedules_.open();
    retention_.open();
    leases_.open();
    tokens_.open();
    beacon_.open();
    book_.keep_history(config_.retention.slots);
    log_info("serving", {{"socket", config_.control_socket().string()}});
    service_.ready(state_);
}

// What `systemctl status` shows from now on.
void AppImpl::say(std::string state) {
    state_ = std::move(state);
    if (server_ && !stopping_) service_.status(state_);
}

// A file that is wrong changes nothing.
void AppImpl::reload() {
    if (stopping_) return;
    service_.reloading("reading the settings again");
    auto fresh = load_config(config_file_);
    if (!fresh) {
        log_error("the settings are not taken, those from before stay",
                  {{"reason", fresh.error().message}});
    } else {
        const auto changed = changed_settings(config_, *fresh);
        take_live_settings(config_, *fresh);
        set_log_level(config_.log_level);
        retention_.set_policy(config_.retention);
        book_.keep_history(config_.retention.slots);
        kinds_.reload(config_.connector_kinds);
        tell_troubles(kinds_);
        log_info("took the settings", {{"changed", changed.size()}});
        if (const auto hint = restart_hint(changed); !hint.empty()) log_warning(hint);
    }
    if (server_) service_.ready(state_);
}

ServerOptions AppImpl::server_options() const {
    ServerOptions options;
    options.peers.daemon_uid = ::geteuid();
    // As root (a test, a container) the group would be root's own: no group then.
    if (::getegid() != 0) options.peers.group = ::getegid();
    options.spool_directory = config_.store_dir();
    return options;
}

ServerOptions AppImpl::public_options() const {
    ServerOptions options;
    options.limits = public_limits();
    options.spool_directory = config_.store_dir();
    return options;
}

std::filesystem::path AppImpl::program_folder() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

void AppImpl::log_sweep(const Result<Swept>& swept) {
    if (!swept)
        log_error("cannot remove what is old, trying again in an hour",
                  {{"reason", swept.error().message}});
    else if (swept->runs + swept->keys + swept->log_days > 0)
        log_info("removed what is old", {{"runs", swept->runs},
                                         {"idempotency_keys", swept->keys},
                                         {"log_days", swept->log_days},
                                         {"pages_given_back", swept->pages},
                                         {"slices", swept->slices}});
}

Result<std::unique_ptr<App>> App::make(Config config, Sockets sockets,
                                       std::filesystem::path config_file) {
    auto loop = std::make_unique<Loop>();
    static const SystemClock clock;
    auto store = Store::open(config.store_dir(), *loop, clock);
    if (!store) return pass_on(store);
    remove_unfinished_releases(config.releases_dir);
    remove_unfinished_backups(config.store_dir());
    return std::unique_ptr<App>{std::make_unique<AppImpl>(std::move(config), std::move(sockets),
                                                          std::move(config_file), std::move(loop),
                                                          std::move(*store))};
}

}  // namespace berth
