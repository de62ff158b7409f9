#include "bench/live_runs.h"

#include <memory>

#include "base/clock.h"
#include "base/error.h"
#include "base/loop/loop.h"
#include "bench/sandboxed.h"
#include "sandbox/runner/launcher_client.h"
#include "sandbox/runner/live_run.h"

namespace berth::bench {
namespace {

constexpr unsigned kPoolSize = 8;  // as is the default on two cores

class LiveRuns {
public:
    LiveRuns(Fd launcher, Found found, int in_flight, int count)
        : found_{found},
          count_{count},
          client_{loop_,
                  clock_,
                  {.on_hello = [this] { begin(); },
                   .on_gone = [this](const std::string& why) { give_up(why); },
                   .on_pool = [this] { begin(); }}},
          runs_(static_cast<std::size_t>(in_flight)) {
        client_.attach(std::move(launcher));
    }

    Steady::duration run() {
        loop_.run();
        if (!trouble_.empty()) throw std::runtime_error{trouble_};
        return took_;
    }

private:
    void begin() {
        const bool ready =
            client_.hello() && (found_ == Found::none || client_.pool().parked == kPoolSize);
        if (begun_ || !ready) return;
        begun_ = true;
        loop_.later([this] {
            for (std::size_t place = 0; place < runs_.size(); ++place)
                start(place);
        });
    }

    void give_up(const std::string& why) {
        trouble_ = why;
        loop_.stop();
    }

    void start(std::size_t place) {
        runs_[place].reset();
        if (started_ == kUncountedRuns + count_) return;
        const int number = ++started_;
        ipc::Start message =
            start_message({"/app/program"}, kParkedNetwork,
                          found_ == Found::parked ? static_cast<std::uint64_t>(number) : 0);
        message.run_id = number;
        // In the order of Runner::prepare().
        const auto request = runner::make_build_request(message);
        auto taken = request ? client_.take(*request) : std::nullopt;
        auto plan = runner::make_plan(message, {});
        if (!plan || !request)
            return give_up(!plan ? plan.error().message : request.error().message);
        runs_[place] = std::make_unique<runner::LiveRun>(
            loop_, clock_, client_, store_,
            runner::RunOrder{{message.run_id, 1},
                             *request,
                             std::move(taken),
                             std::move(*plan),
                             vault::Masker{{}},
                             std::chrono::seconds{message.wall_time_s},
                             {},
                             {}},
            runner::LiveRun::Events{
                .on_started = [](const ipc::Started&) {},
                .on_listeners = [](std::vector<Fd>) {},
                .on_output = [](ipc::Output) {},
                .on_ended = [this, place](const ipc::Ended& ended) { this->ended(place, ended); }});
    }

    void ended(std::size_t place, const ipc::Ended& ended) {
        if (ended.kind != ipc::EndKind::exited || ended.number != 0)
            return give_up(fmt::format("a run failed: {} {}", ended.text, ended.number));
        if (++ended_ == kUncountedRuns) began_ = Steady::now();
        if (ended_ == kUncountedRuns + count_) {
            took_ = Steady::now() - began_;
            loop_.later([this] {
                runs_.clear();
                loop_.stop();
            });
            return;
        }
        loop_.later([this, place] { start(place); });
    }

    Loop loop_;
    SystemClock clock_;
    DescriptorStore store_;  // without a manager, as for the other side's
    Found found_;
    int count_;
    int started_ = 0;
    int ended_ = 0;
    bool begun_ = false;
    Steady::time_point began_;
    Steady::duration took_{};
    std::string trouble_;
    runner::LauncherClient client_;
    std::vector<std::unique_ptr<runner::LiveRun>> runs_;
};

}  // namespace

Sustained sustain_live_runs(const std::string& launcher, const std::filesystem::path& program,
                            Found found, int in_flight, int count) {
    const CpuTime before;
    Steady::duration took{};
    {
        LauncherProcess process{launcher, program, found == Found::none ? 0 : kPoolSize};
        LiveRuns runs{process.take_socket(), found, in_flight, count};
        took = runs.run();
    }
    return sustained(count, took, before);
}

}  // namespace berth::bench
