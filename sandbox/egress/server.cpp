#include "sandbox/egress/server.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "model/limits.h"

namespace berth::egress {

Server::Server(Loop& loop, const Clock& clock, Rules rules, std::function<void()> on_runner_gone)
    : loop_{loop},
      clock_{clock},
      rules_{std::move(rules)},
      on_runner_gone_{std::move(on_runner_gone)} {}

Server::~Server() = default;

void Server::serve(Fd runner) {
    const auto id = next_id_++;
    auto& channel = runners_[id];
    channel = std::make_unique<ipc::EgressChannel>(
        loop_, std::move(runner),
        ipc::EgressChannel::Events{
            [this, id](ipc::EgressType type, std::string_view payload, std::vector<Fd> fds) {
                receive(id, type, payload, std::move(fds));
            },
            [this, id](const std::string& why) { gone(id, why); }});
    ipc::EgressHello hello;
    hello.allowed = static_cast<std::uint32_t>(rules_.allow.size());
    channel->send(hello);
}

void Server::receive(std::uint64_t id, ipc::EgressType type, std::string_view payload,
                     std::vector<Fd> fds) {
    switch (type) {
        case ipc::EgressType::serve:
            if (auto message = ipc::decode<ipc::EgressServe>(payload))
                return begin(id, std::move(*message), std::move(fds));
            break;
        case ipc::EgressType::stop:
            if (const auto message = ipc::decode<ipc::EgressStop>(payload))
                return stop(id, *message);
            break;
        case ipc::EgressType::hello:
        case ipc::EgressType::stopped:
        case ipc::EgressType::connection: break;  // ours to say
    }
    runners_.at(id)->close(fmt::format("it sent a message of type {} that cannot be read",
                                       static_cast<unsigned>(type)));
}

void Server::begin(std::uint64_t id, ipc::EgressServe message, std::vector<Fd> listeners) {
    const RunKey key{message.run_id, message.attempt};
    // The listeners that come with it are those that it has.
    if (const auto known = runs_.find(key); known != runs_.end())
        return take_over(id, known->second);
    try {
        auto run = std::make_unique<ServedRun>(
            loop_, clock_, rules_, std::move(message), std::move(listeners),
            [this, key](const ipc::Connection& connection) { tell(key, connection); });
        runs_[key] = {id, {}, {}, std::move(run)};
    } catch (const SystemError& error) {
        // The run goes on without network: its listeners are closed.
        log_error("a run cannot be served", {{"run", key.run_id}, {"why", error.what()}});
    }
}

void Server::take_over(std::uint64_t id, Served& served) {
    served.runner = id;
    served.alone.reset();
    for (const ipc::Connection& connection : std::exchange(served.untold, {}))
        runners_.at(id)->send(ipc::EgressConnection{connection});
}

// A run tells of limits::kRunConnections and a few sums, so that this does not grow.
void Server::tell(RunKey key, const ipc::Connection& connection) {
    Served& served = runs_.at(key);
    if (served.runner == 0)
        served.untold.push_back(connection);
    else
        runners_.at(served.runner)->send(ipc::EgressConnection{connection});
}

void Server::stop(std::uint64_t id, const ipc::EgressStop& message) {
    const RunKey key{message.run_id, message.attempt};
    if (const auto known = runs_.find(key); known != runs_.end()) {
        known->second.runner = id;
        end(key);
    }
    runners_.at(id)->send(ipc::EgressStopped{message.run_id, message.attempt});
}

void Server::end(RunKey key) {
    runs_.at(key).run->finish();
    auto node = runs_.extract(key);
    // Later: a resolver's answer that is on its way finds it gone, and its timer may be
    // what calls us.
    loop_.later([held = std::make_shared<Served>(std::move(node.mapped()))] {});
}

void Server::gone(std::uint64_t id, const std::string& why) {
    auto node = runners_.extract(id);
    std::size_t left = 0;
    for (auto& [key, served] : runs_) {
        if (served.runner != id) continue;
        ++left;
        served.runner = 0;
        served.alone = std::make_unique<Timer>(loop_, [this, key = key] { end(key); });
        served.alone->start(limits::kEgressAloneTime);
    }
    log_info("a runner is gone, its runs wait for the next one", {{"why", why}, {"runs", left}});
    // Later, since this call comes from within its channel.
    loop_.later([held = std::shared_ptr<ipc::EgressChannel>{std::move(node.mapped())}] {});
    on_runner_gone_();
}

}  // namespace berth::egress
