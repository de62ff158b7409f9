// berthd's end of the socket to berth-runner: requests and their answers, the
// events of live runs, and connecting anew when the runner was restarted. What a run
// says comes again on a new connection until it is confirmed.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/callback.h"
#include "base/error.h"
#include "base/loop/timer.h"
#include "sandbox/ipc/channel.h"

namespace berth {

// Thread: loop.
class RunnerLink {
public:
    struct Events {
        // The runner is there; also when what it says of itself has changed.
        std::function<void(const ipc::RunnerHello&)> on_hello;
        // The first of a connection, to be answered with adopt() at once.
        std::function<void(std::vector<ipc::RunName>)> on_live_runs;
        // It is gone; its runs may come back with it.
        std::function<void(std::string why)> on_lost;
        std::function<void(ipc::Started)> on_started;
        std::function<void(ipc::Output)> on_output;
        std::function<void(ipc::Connection)> on_connection;
        std::function<void(ipc::Ended)> on_ended;
        // With on_live_runs, right after it: the jobs it has.
        std::function<void(std::vector<std::uint64_t>)> on_live_jobs;
        std::function<void(ipc::JobEnded)> on_job_ended;
    };
    RunnerLink(Loop& loop, std::filesystem::path socket, Events events);

    void connect();  // now, and again whenever it is lost
    void close();

    // Answers come on the loop; `unavailable` when the runner goes away first. Not while it is
    // loading some (Keys::load).
    void load_keys(ipc::LoadKeys keys, Callback<void(Result<ipc::KeysLoaded>)> done);
    // Fresh keys were stored: from now on they may be used.
    void fresh_keys_stored() { keys_loaded_ = std::exchange(keys_fresh_, false); }
    // Asks, under a `request` of its own; what the answer gives as its `why` is the failure.
    template <typename Message, typename Answer>
    void ask(Message message, Callback<void(Result<Answer>)> done);
    void new_data_key(ipc::Scope scope, std::uint32_t key_id,
                      Callback<void(Result<ipc::DataKey>)> done);
    void seal(ipc::WrappedKey data_key, ipc::FieldRef where, Secret plaintext,
              Callback<void(Result<std::string>)> done);
    // Nothing is lost in silence: when it is not there, on_ended says `lost`.
    void start(const ipc::Start& start);
    // These are lost in silence when it is not there: the next connection puts them right.
    void cancel(std::int64_t run_id, int attempt) { tell(ipc::Cancel{run_id, attempt}); }
    void adopt(std::vector<ipc::RunName> runs) { tell(ipc::Adopt{std::move(runs)}); }
    void stored(const ipc::Stored& stored) { tell(stored); }
    void settled(ipc::RunName run) { tell(ipc::Settled{run}); }
    void start_job(const ipc::StartJob& start) { tell(start); }  // to be lost: see on_lost
    void job_settled(std::uint64_t job) { tell(ipc::JobSettled{job}); }
    void anchor(ipc::Scope scope, std::uint64_t counter) { tell(ipc::Anchor{scope, counter}); }

    void pause();  // output waits in the runner, then in the scripts' pipes
    void resume();

    // Runs may be handed over: it is there, with its keys and its launcher.
    bool ready() const { return keys_loaded_ && hello_ && hello_->launcher_present; }
    bool keys_loaded() const { return keys_loaded_; }

    // What the runner last said of itself, while it is there.
    const std::optional<ipc::RunnerHello>& hello() const { return hello_; }
    // How its warm pool does; nothing until it has told.
    const std::optional<ipc::Pool>& pool() const { return pool_; }

private:
    template <typename Message>
    void tell(const Message& message) {
        if (channel_) channel_->send(message);
    }
    void on_message(ipc::MessageType type, std::string_view payload);
    template <typename Answer>
    bool take_answer(std::string_view payload);
    void lost(std::string why);
    std::string gone() const;

    Loop& loop_;
    std::filesystem::path socket_;
    Events events_;
    std::unique_ptr<ipc::Channel> channel_;
    std::optional<ipc::RunnerHello> hello_;
    std::optional<ipc::Pool> pool_;
    std::string last_why_ = "not connected yet";
    std::uint64_t next_request_ = 1;
    Callback<void(Result<ipc::KeysLoaded>)> loading_;
    template <typename Answer>
    using Asked = std::map<std::uint64_t, Callback<void(Result<Answer>)>>;
    // A kind of answer for each kind of question.
    std::tuple<Asked<ipc::DataKey>, Asked<ipc::Sealed>, Asked<ipc::MacChecked>, Asked<ipc::KekMade>,
               Asked<ipc::Rewrapped>, Asked<ipc::ManifestMade>, Asked<ipc::AnchorSet>>
        asked_;
    Timer again_;
    std::chrono::milliseconds backoff_{20};
    bool keys_loaded_ = false;
    bool keys_fresh_ = false;  // this runner has keys that are not stored yet
    bool paused_ = false;
    bool closed_ = false;
};

template <typename Message, typename Answer>
void RunnerLink::ask(Message message, Callback<void(Result<Answer>)> done) {
    if (!channel_) return done(fail(FailureKind::unavailable, "{}", gone()));
    message.request = next_request_++;
    std::get<Asked<Answer>>(asked_).emplace(message.request, std::move(done));
    channel_->send(message);
}

}  // namespace berth
