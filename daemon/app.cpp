#include "daemon/app.h"

#include <signal.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "base/log.h"
#include "base/loop/loop.h"
#include "base/loop/service.h"
#include "base/loop/signals.h"
#include "base/loop/timer.h"
#include "base/loop/worker.h"
#include "connectors/kinds.h"
#include "control/calls_routes.h"
#include "control/oauth_routes.h"
#include "control/public/connect_routes.h"
#include "control/public/hooks.h"
#include "control/public/oauth_routes.h"
#include "control/public/routes.h"
#include "control/routes.h"
#include "control/server.h"
#include "control/webhook_api.h"
#include "daemon/api_impl.h"
#include "daemon/audit_beacon.h"
#include "daemon/auth_links.h"
#include "daemon/backup_stream.h"
#include "daemon/calls.h"
#include "daemon/connections.h"
#include "daemon/doctor.h"
#include "daemon/hook_addresses.h"
#include "daemon/hooks.h"
#include "daemon/job_flow.h"
#include "daemon/kind_forms.h"
#include "daemon/lease_keeper.h"
#include "daemon/link_key.h"
#include "daemon/log_sink.h"
#include "daemon/loop_alarms.h"
#include "daemon/oauth.h"
#include "daemon/programs.h"
#include "daemon/recovery.h"
#include "daemon/reload.h"
#include "daemon/retention.h"
#include "daemon/rotation.h"
#include "daemon/run_queue.h"
#include "daemon/schedule_book.h"
#include "daemon/scrub.h"
#include "daemon/tokens.h"
#include "daemon/vault_service.h"
#include "model/limits.h"
#include "source/archive.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr auto kKeysAgain = 1s;
constexpr auto kLastWords = 2s;  // for the ends of stopped runs to be stored
constexpr auto kStopTail = limits::kTermGrace + limits::kDrainTime + kLastWords;

void log_sweep(const Result<Swept>& swept) {
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

std::filesystem::path program_folder() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

void tell_troubles(const KindBook& kinds) {
    for (const std::string& trouble : kinds.troubles())
        log_error("a connector kind is not used", {{"why", trouble}});
}

class AppImpl final : public App {
public:
    AppImpl(Config config, Sockets sockets, std::filesystem::path config_file,
            std::unique_ptr<Loop> loop, std::unique_ptr<Store> store)
        : config_{std::move(config)},
          config_file_{std::move(config_file)},
          loop_{std::move(loop)},
          store_{std::move(store)},
          sockets_{std::move(sockets)} {
        tell_troubles(kinds_);
        add_integration_routes(router_, api_);
        add_connection_routes(router_, connections_);
        add_tenant_routes(router_, api_);
        add_schedule_routes(router_, api_);
        add_run_routes(router_, api_);
        add_log_routes(router_, api_);
        add_admin_routes(router_, api_);
        add_call_routes(router_, calls_);
        add_job_routes(router_, job_records_);
        add_audit_routes(router_, api_);
        add_vault_routes(router_, vault_);
        add_backup_routes(router_, api_);
        add_webhook_routes(router_, hook_addresses_);
        add_up_route(public_router_);
        add_oauth_routes(public_router_, oauth_, clock_, config_.public_url);
        add_auth_link_routes(public_router_, auth_links_, clock_, config_.public_url);
        connections_.use_oauth(oauth_, [this](Caller who, const ConnectionMaterial& material) {
            oauth_.revoke(std::move(who), material);
        });
        auth_links_.use_oauth(oauth_);
        api_.add_check([this] { return check_kinds(kinds_); });
        add_oauth_admin_routes(router_, oauth_);
        add_hook_routes(public_router_, hooks_,
                        static_cast<std::size_t>(config_.webhook_body_mib) * limits::MiB);
        api_.add_metric([this] { return hooks_.metric(); });
        api_.add_metric([this] { return hooks_.macs(); });
        api_.add_metric([this] { return job_metric(jobs_.counts()); });
        api_.add_metric([this] { return token_metric(tokens_.counts()); });
        api_.add_check([this] {
            return check_public(public_server_ ? Served::yes : Served::no, config_.public_url);
        });
        leases_.tell(flow_);
        store_->on_broken([this](const Failure& why) { store_broke(why); });
    }

    int run() override {
        Signals signals{*loop_, {SIGTERM, SIGINT}, [this](int signo) { stop(signo); }};
        Signals hangup{*loop_, {SIGHUP}, [this](int) { reload(); }};
        recover();
        loop_->run();
        return exit_code_;
    }

private:
    // What the last berthd left is put in order before anybody is answered.
    void recover() {
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

    void serve() {
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

    void store_own_programs() {
        upload_work_.run([this] {
            Result<std::string> stored = fail(FailureKind::unavailable, "not stored yet");
            try {
                stored = store_programs(program_folders(), config_.releases_dir);
            } catch (const std::exception& error) {  // the boundary of this work
                stored = fail(FailureKind::unavailable,
                              "the programs for jobs cannot be stored: {}", error.what());
            }
            loop_->post([this, stored] { jobs_.programs_stored(stored); });
        });
    }

    // What `systemctl status` shows from now on.
    void say(std::string state) {
        state_ = std::move(state);
        if (server_ && !stopping_) service_.status(state_);
    }

    // A file that is wrong changes nothing.
    void reload() {
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

    ServerOptions server_options() const {
        ServerOptions options;
        options.peers.daemon_uid = ::geteuid();
        // As root (a test, a container) the group would be root's own: no group then.
        if (::getegid() != 0) options.peers.group = ::getegid();
        options.spool_directory = config_.store_dir();
        return options;
    }

    ServerOptions public_options() const {
        ServerOptions options;
        options.limits = public_limits();
        options.spool_directory = config_.store_dir();
        return options;
    }

    void runner_came() {
        const auto& hello = runner_.hello();
        if (hello->root_key_id.empty()) {
            say("serving; nothing can run: berth-runner has no root key");
            log_error("berth-runner has no root key, nothing can run", {{"reason", hello->why}});
            return;
        }
        if (runner_.keys_loaded()) return ready_or_not();
        load_keys();
    }

    // One at a time: a runner that is asked twice before its first key is stored would
    // make two, and what is sealed with the one that is not stored could never be opened.
    void load_keys() {
        if (!runner_.hello() || std::exchange(loading_keys_, true)) return;
        keys_.load([this](Result<void> loaded) {
            loading_keys_ = false;
            if (!loaded) {
                log_error("cannot hand the keys to berth-runner, nothing can run",
                          {{"reason", loaded.error().message}});
                if (loaded.error().kind != FailureKind::denied) keys_again_.start(kKeysAgain);
            } else if (!runner_.keys_loaded()) {
                load_keys();  // it was started again meanwhile
            }
            ready_or_not();
        });
    }

    void ready_or_not() {
        if (stopping_) return;
        if (runner_.keys_loaded()) rotation_.go_on();
        if (!runner_.ready()) return engine_.close();
        log_info("ready");
        say("serving; runs start");
        engine_.open();
    }

    void runner_went(const std::string& why) {
        engine_.close();
        jobs_.runner_gone(why);
        flow_.runner_gone();
        say("serving; nothing can run until berth-runner is back");
    }

    void run_ended(RunId id) {
        engine_.ended(id);
        if (!stopping_) return;
        if (may_leave()) return end();
        say_stopping();
    }

    void say_stopping() {
        service_.stopping(fmt::format("stopping; waiting for {} live runs to {}", flow_.live(),
                                      draining_ ? "end" : "be handed over"));
    }

    bool may_leave() const {
        return all_answered_ && (draining_ ? flow_.live() : flow_.unsettled()) == 0;
    }

    // No new runs; those that had not begun wait again. SIGTERM (a restart, an upgrade)
    // leaves live ones to the runner, for the next berthd. With SIGINT they may end by
    // themselves for a while, then they are stopped and recorded as lost. Then the server
    // ends, then we do.
    void stop(int signo) {
        const bool draining = signo == SIGINT;
        if (std::exchange(stopping_, true) && draining_ == draining) return;
        draining_ = draining;
        log_info("stopping", {{"signal", signo}, {"live_runs", flow_.live()}});
        engine_.close();
        schedules_.close();
        retention_.close();
        rotation_.close();
        if (!draining) leases_.close();  // else what still runs is ours until it ends
        tokens_.close();
        flow_.close();
        jobs_.close();
        // Answered after all that the store was asked before: a run that has begun meanwhile
        // is with us then, and is given back.
        store_->finish([](Db&) {},
                       [this](Result<void>) {
                           all_answered_ = true;
                           if (may_leave()) end();
                       });
        say_stopping();
        if (draining) {
            service_.extend_timeout(config_.stop_grace + kStopTail + kLastWords);
            grace_.start(config_.stop_grace);
        } else {
            last_.start(kLastWords);
        }
    }

    void grace_is_over() {
        flow_.stop_all();
        last_.start(kStopTail);
    }

    void end() {
        if (std::exchange(ending_, true)) return;
        grace_.stop();
        last_.stop();
        service_.stopping("stopping");
        // Of a store that is broken nothing is asked any more.
        const auto leave = [this] {
            if (exit_code_ != 0) return loop_->stop();
            beacon_.last([this] { loop_->stop(); });
        };
        if (!server_) return leave();
        // Who is still answered by the public one may be waiting for the other.
        if (!public_server_) return server_->stop(leave);
        public_server_->stop([this, leave] { server_->stop(leave); });
    }

    // What is on disk is known only after the store was opened anew: recovery puts
    // the runs right.
    void store_broke(const Failure& why) {
        log_error("the store cannot be used, leaving to be started again",
                  {{"reason", why.message}});
        exit_code_ = 1;
        stopping_ = true;
        engine_.close();
        schedules_.close();
        retention_.close();
        rotation_.close();
        leases_.close();
        tokens_.close();
        flow_.close();
        jobs_.close();
        end();
    }

    Config config_;
    const std::filesystem::path config_file_;
    std::string state_ = "serving; berth-runner is not there yet";
    SystemClock clock_;
    std::unique_ptr<Loop> loop_;
    std::unique_ptr<Store> store_;
    Sockets sockets_;
    KindBook kinds_{shipped_kinds(program_folder()), config_.connector_kinds};
    LogStore logs_{config_.store_dir() / "logs", *loop_,
                   [&store = *store_](const StoreError& trouble) { store.notice(trouble); }};
    LogHub hub_{logs_};
    RunnerLink runner_{
        *loop_,
        config_.runner_socket(),
        {
            [this](const ipc::RunnerHello&) { runner_came(); },
            [this](const std::vector<ipc::RunName>& runs) { flow_.live_runs(runs); },
            [this](const std::string& why) { runner_went(why); },
            [this](const ipc::Started& message) { flow_.started(message); },
            [this](ipc::Output message) { flow_.output(std::move(message)); },
            [this](ipc::Connection message) { flow_.connection(std::move(message)); },
            [this](const ipc::Ended& message) {
                if (keys_.lacks_key(message)) load_keys();
                flow_.ended(message);
            },
            [this](const std::vector<std::uint64_t>& jobs) { jobs_.live_jobs(jobs); },
            [this](ipc::JobEnded message) { jobs_.ended(std::move(message)); },
        }};
    Keys keys_{*store_, runner_, clock_};
    Rotation rotation_{{*loop_, clock_, *store_, runner_, keys_}};
    VaultService vault_{{clock_, *store_, runner_, keys_, rotation_}};
    JobFlow jobs_{{*loop_, clock_, *store_, runner_, [this] { store_own_programs(); }}};
    const KindLookup kind_lookup_ = [this](std::string_view name) { return kinds_.find(name); };
    const OAuthSettings oauth_settings_{config_.public_url, config_.egress_allow};
    Tokens tokens_{{*loop_, clock_, *store_, keys_, jobs_, kind_lookup_, oauth_settings_}};
    OAuth oauth_{{*loop_, clock_, *store_, keys_, runner_, jobs_, tokens_, kind_lookup_, oauth_settings_}};
    const std::string link_key_ = load_link_key(config_.store_dir() / "auth-link.key");
    Connections connections_{{clock_, *store_, keys_, kinds_, config_.public_url, link_key_}};
    AuthLinks auth_links_{{*store_, kinds_, connections_, link_key_}};
    RunFlow flow_{{*loop_,
                   clock_,
                   *store_,
                   logs_,
                   hub_,
                   runner_,
                   run_work_,
                   {config_.env_name, config_.grants, &kinds_},
                   &tokens_},
                  [this](RunId id) { run_ended(id); }};
    LoopAlarms alarms_{*loop_};
    RunQueue queue_{*store_, clock_, config_.max_starts_per_minute, flow_.start_at_once()};
    Engine engine_{alarms_, queue_, flow_, config_.max_runs};
    ScheduleBook book_{
        *store_,
        clock_,
        {config_.allow_seconds ? Seconds::allowed : Seconds::refused, config_.waiting}};
    ScheduleEngine schedules_{alarms_, clock_, book_, [this] { engine_.kick(); }};
    ApiImpl api_{{*loop_, clock_, config_, *store_, hub_, keys_, flow_, runner_, engine_,
                  schedules_, book_, upload_work_, backups_}};
    Scrub scrub_{config_.store_dir(), upload_work_, *store_};
    Retention retention_{{alarms_, clock_, *store_, logs_, config_.retention},
                         [this](const Result<Swept>& swept) {
                             log_sweep(swept);
                             scrub_.look();
                         }};
    AuditBeacon beacon_{alarms_, *store_};
    LeaseKeeper leases_{alarms_, clock_, *store_, [this] { engine_.kick(); }};
    const FindKind find_kind_ = [this](std::string_view kind) { return kinds_.find(kind); };
    Calls calls_{{*loop_, clock_, *store_, jobs_, find_kind_,
                  [this](ConnectionId id, Time until, Done<void> done) {
                      tokens_.ensure_fresh(id, until, std::move(done));
                  },
                  config_.egress_allow}};
    JobRecords job_records_{*store_};
    HookAddresses hook_addresses_{clock_, config_, *store_, find_kind_};
    Hooks hooks_{{clock_, config_, *store_, runner_, find_kind_, [this] { engine_.kick(); }}};
    Router router_;
    std::optional<Server> server_;
    Router public_router_{Audience::anybody};
    std::optional<Server> public_server_;
    Service service_{*loop_};
    Timer grace_{*loop_, [this] { grace_is_over(); }};
    Timer last_{*loop_, [this] { end(); }};  // recovery puts right what did not end in time
    Timer keys_again_{*loop_, [this] { load_keys(); }};
    bool loading_keys_ = false;
    bool stopping_ = false;
    bool draining_ = false;
    bool all_answered_ = false;
    bool ending_ = false;
    int exit_code_ = 0;
    // Last, so that they are joined first: what they work on belongs to the parts above.
    // Two, so that no upload holds up a run.
    Worker run_work_{"run-work"};
    Worker upload_work_{"upload-work"};
    Backups backups_{*loop_, config_};
};

}  // namespace

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
