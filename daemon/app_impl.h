// All parts of berthd in the order they are built, and whom each tells of what. app.cpp has
// their start, app_runner.cpp what follows the runner, app_stop.cpp their end.
#pragma once

#include <optional>
#include <utility>

#include "base/log.h"
#include "base/loop/loop.h"
#include "base/loop/service.h"
#include "base/loop/timer.h"
#include "base/loop/worker.h"
#include "connectors/kinds.h"
#include "control/server.h"
#include "daemon/api_impl.h"
#include "daemon/app.h"
#include "daemon/audit_beacon.h"
#include "daemon/auth_links.h"
#include "daemon/backup_stream.h"
#include "daemon/calls.h"
#include "daemon/connections.h"
#include "daemon/hook_addresses.h"
#include "daemon/hooks.h"
#include "daemon/job_flow.h"
#include "daemon/lease_keeper.h"
#include "daemon/link_key.h"
#include "daemon/log_sink.h"
#include "daemon/loop_alarms.h"
#include "daemon/oauth.h"
#include "daemon/programs.h"
#include "daemon/retention.h"
#include "daemon/rotation.h"
#include "daemon/run_queue.h"
#include "daemon/schedule_book.h"
#include "daemon/scrub.h"
#include "daemon/tokens.h"
#include "daemon/vault_service.h"

namespace berth {

class AppImpl final : public App {
public:
    AppImpl(Config config, Sockets sockets, std::filesystem::path config_file,
            std::unique_ptr<Loop> loop, std::unique_ptr<Store> store);
    int run() override;

private:
    // The start, and the settings (app.cpp).
    static std::filesystem::path program_folder();
    static void log_sweep(const Result<Swept>& swept);
    void add_routes();
    void add_checks();
    void recover();
    void serve();
    void say(std::string state);
    void reload();
    ServerOptions server_options() const;
    ServerOptions public_options() const;

    // What follows the runner (app_runner.cpp).
    void store_own_programs();
    void runner_came();
    void load_keys();
    void ready_or_not();
    void runner_went(const std::string& why);

    // The end (app_stop.cpp).
    void run_ended(RunId id);
    void say_stopping();
    bool may_leave() const;
    void stop(int signo);
    void close_parts();
    void grace_is_over();
    void end();
    void store_broke(const Failure& why);

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

}  // namespace berth
