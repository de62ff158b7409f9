#include "cli/follow.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/fields.h"
#include "cli/log_view.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

// How long a daemon may be away before following gives up.
constexpr auto kPatience = 30s;

// Waits between two questions: short at first, never above a second.
class Pause {
public:
    void wait() {
        std::this_thread::sleep_for(next_);
        next_ = std::min<std::chrono::milliseconds>(next_ * 2, 1000ms);
    }
    void reset() { next_ = kFirst; }

private:
    static constexpr std::chrono::milliseconds kFirst = 20ms;
    std::chrono::milliseconds next_ = kFirst;
};

bool past(const Deadline& deadline) { return deadline && SteadyClock::now() >= *deadline; }

// One run being followed over as many connections as it takes.
class Follower {
public:
    Follower(Session& session, std::string run_id, const FollowView& view, Deadline deadline)
        : session_{session},
          run_id_{std::move(run_id)},
          view_{view},
          deadline_{deadline},
          lines_{session, view.only_stream.empty() ? LogView::Marks::on : LogView::Marks::off,
                 view.times ? LogView::Times::on : LogView::Times::off} {}

    Result<Json> to_the_end() {
        Pause pause;
        constexpr auto kNever = SteadyClock::time_point::max();
        auto lost_at = kNever;
        for (bool first = true;; first = false) {
            connected_ = false;
            auto done = session_.api().follow(
                path(), quiet_time(), [this](std::string_view name, const std::string& data) {
                    connected_ = true;
                    return on_event(name, data);
                });
            if (ended_) {
                lines_.finish();
                return std::move(*ended_);
            }
            if (past(deadline_)) return too_late();
            const bool lost = !done && (done.error().kind == FailureKind::unavailable ||
                                        done.error().kind == FailureKind::busy);
            if (!done && !lost) return pass_on(done);
            // A run that was quiet for long looks like a lost daemon: ask.
            const bool alive = connected_ || session_.api().get(api_path({"runs", run_id_}));
            if (connected_) pause.reset();
            if (alive) {
                lost_at = kNever;
            } else if (first && !done) {
                return pass_on(done);
            } else if (lost_at == kNever) {
                lost_at = SteadyClock::now();
                session_.remark("the daemon is away, waiting for it");
            } else if (SteadyClock::now() - lost_at > kPatience) {
                return fail(FailureKind::unavailable,
                            "the daemon at '{}' has been away for {} s; 'berth log {} -f' takes "
                            "it up again",
                            session_.socket.string(), kPatience.count(), run_id_);
            }
            pause.wait();
        }
    }

private:
    std::string path() const {
        Pairs query{{"follow", "1"}};
        if (last_seq_ > 0) query.emplace_back("after", std::to_string(last_seq_));
        return api_path({"runs", run_id_, "log"}, query);
    }

    // How long no event is no reason to look up.
    std::chrono::milliseconds quiet_time() const {
        constexpr std::chrono::milliseconds kLongest = 60s;
        if (!deadline_) return kLongest;
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - SteadyClock::now());
        return std::clamp<std::chrono::milliseconds>(left, 1ms, kLongest);
    }

    Api::Next on_event(std::string_view name, const std::string& text) {
        auto data = parse_json(text);
        if (data && name == "end") {
            ended_ = std::move(*data);
            return Api::Next::stop;
        }
        if (data && name == "chunk") show(*data);
        return past(deadline_) ? Api::Next::stop : Api::Next::go_on;
    }

    void show(const Json& data) {
        const auto seq = number(data, "seq").value_or(0);
        if (seq > 0 && seq <= last_seq_) return;  // seen before the connection was lost
        last_seq_ = std::max(last_seq_, seq);
        const auto chunk = chunk_of(data);
        if (!chunk || view_.log == FollowView::Log::hidden) return;
        if (!view_.only_stream.empty() && chunk->stream != view_.only_stream) return;
        if (session_.json()) {
            session_.io.out << ascii_json(data, Layout::one_line) << std::endl;
        } else if (view_.raw) {
            session_.io.out << chunk->bytes << std::flush;
        } else {
            lines_.add(*chunk);
        }
    }

    Result<Json> too_late() {
        lines_.finish();
        return fail(FailureKind::busy,
                    "run {} is not over yet and goes on; 'berth log {} -f' "
                    "follows it",
                    run_id_, run_id_);
    }

    Session& session_;
    std::string run_id_;
    const FollowView& view_;
    Deadline deadline_;
    LogView lines_;
    std::int64_t last_seq_ = 0;
    bool connected_ = false;
    std::optional<Json> ended_;
};

}  // namespace

Result<std::string> await_run(Session& session, const std::string& trigger_id, Deadline deadline) {
    const std::string path = api_path({"runs", "triggers", trigger_id, "status"});
    const auto asked_since = SteadyClock::now();
    bool told = false;
    Pause pause;
    for (;;) {
        auto status = session.api().get(path);
        if (status) return field(*status, "run_id");
        // 404 until it is part of a run, says the contract.
        if (status.error().kind != FailureKind::not_found) return pass_on(status);
        if (past(deadline))
            return fail(FailureKind::busy,
                        "trigger {} still waits for its run and keeps its place; 'berth run "
                        "trigger-status {}' asks again",
                        trigger_id, trigger_id);
        if (!told && SteadyClock::now() - asked_since > 2s) {
            session.remark(
                "waiting for its turn: a tenant has one run at a time, and the host has a limit");
            told = true;
        }
        pause.wait();
    }
}

Result<Json> follow_run(Session& session, const std::string& run_id, const FollowView& view,
                        Deadline deadline) {
    return Follower{session, run_id, view, deadline}.to_the_end();
}

Result<Exit> after_trigger(Session& session, const Json& accepted, const AfterOptions& options) {
    const std::string trigger = field(accepted, "trigger_id");
    if (options.after == After::nothing) {
        if (session.json()) {
            session.print(accepted);
        } else {
            session.io.out << shown(trigger) << '\n';
            session.remark(fmt::format(
                "accepted; 'berth run trigger-status {}' tells which run it became", trigger));
        }
        return Exit::ok;
    }
    Deadline deadline;
    if (options.timeout) deadline = SteadyClock::now() + *options.timeout;
    FollowView view;
    if (options.after == After::wait) view.log = FollowView::Log::hidden;
    session.remark(fmt::format("trigger {} is accepted", trigger));
    auto run_id = await_run(session, trigger, deadline);
    if (!run_id) return pass_on(run_id);
    auto run = follow_run(session, *run_id, view, deadline);
    if (!run) return pass_on(run);
    return conclude(session, *run, view);
}

Exit conclude(Session& session, const Json& run, const FollowView& view) {
    const Exit exit = has_succeeded(run) ? Exit::ok : Exit::run_not_succeeded;
    if (session.json()) {
        // After events of one line each, one more line; alone, as any object.
        if (view.log == FollowView::Log::shown)
            session.io.out << ascii_json(run, Layout::one_line) << '\n';
        else
            session.print(run);
        return exit;
    }
    Cell state = state_cell(run);
    std::string text = fmt::format("run {}: {}", field(run, "id"), state.text);
    if (const auto reason = field(run, "reason"); !reason.empty())
        text += fmt::format(" ({})", reason);
    const auto time = duration(field(run, "started_date"), field(run, "completed_date"));
    if (!time.empty()) text += fmt::format(", {}", time);
    session.io.err << toned(shown(text), state.tone,
                            session.io.colour_err ? Colour::on : Colour::off)
                   << '\n';
    return exit;
}

}  // namespace berth
