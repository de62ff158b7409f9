#include "sandbox/egress/server.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace berth::egress {

Server::Server(Loop& loop, const Clock& clock, Rules rules, std::function<void()> on_runner_gone)
    : loop_{loop},
      clock_{clock},
      rules_{std::move(rules)},
      on_runner_gone_{std::move(on_runner_gone)} {}

Server::~Server() = default;

void Server::serve(Fd runner) {
    const auto id = next_id_++;
    auto& entry = *runners_.emplace(id, std::make_unique<Runner>()).first->second;
    entry.channel = std::make_unique<ipc::EgressChannel>(
        loop_, std::move(runner),
        ipc::EgressChannel::Events{
            [this, id](ipc::EgressType type, std::string_view payload, std::vector<Fd> fds) {
                receive(id, type, payload, std::move(fds));
            },
            [this, id](const std::string& why) { gone(id, why); }});
    ipc::EgressHello hello;
    hello.allowed = static_cast<std::uint32_t>(rules_.allow.size());
    entry.channel->send(hello);
}

std::size_t Server::runs() const {
    std::size_t count = 0;
    for (const auto& [id, runner] : runners_)
        count += runner->runs.size();
    return count;
}

void Server::receive(std::uint64_t id, ipc::EgressType type, std::string_view payload,
                     std::vector<Fd> fds) {
    Runner& runner = *runners_.at(id);
    switch (type) {
        case ipc::EgressType::serve:
            if (auto message = ipc::decode<ipc::EgressServe>(payload))
                return begin(runner, std::move(*message), std::move(fds));
            break;
        case ipc::EgressType::stop:
            if (const auto message = ipc::decode<ipc::EgressStop>(payload))
                return stop(runner, *message);
            break;
        case ipc::EgressType::hello:
        case ipc::EgressType::stopped:
        case ipc::EgressType::connection: break;  // ours to say
    }
    runner.channel->close(fmt::format("it sent a message of type {} that cannot be read",
                                      static_cast<unsigned>(type)));
}

void Server::begin(Runner& runner, ipc::EgressServe message, std::vector<Fd> listeners) {
    const RunKey key{message.run_id, message.attempt};
    const auto emit = [channel = runner.channel.get()](const ipc::Connection& connection) {
        channel->send(ipc::EgressConnection{connection});
    };
    try {
        runner.runs[key] = std::make_unique<ServedRun>(loop_, clock_, rules_, std::move(message),
                                                       std::move(listeners), emit);
    } catch (const SystemError& error) {
        // The run goes on without network: its listeners are closed.
        runner.runs.erase(key);
        log_error("a run cannot be served", {{"run", key.run_id}, {"why", error.what()}});
    }
}

void Server::stop(Runner& runner, const ipc::EgressStop& message) {
    const auto run = runner.runs.find({message.run_id, message.attempt});
    if (run != runner.runs.end()) {
        run->second->finish();
        // Later: a resolver's answer that is on its way finds it gone.
        loop_.later([held = std::shared_ptr<ServedRun>{std::move(run->second)}] {});
        runner.runs.erase(run);
    }
    runner.channel->send(ipc::EgressStopped{message.run_id, message.attempt});
}

void Server::gone(std::uint64_t id, const std::string& why) {
    auto node = runners_.extract(id);
    log_info("a runner is gone, its runs are not served any more",
             {{"why", why}, {"runs", node.mapped()->runs.size()}});
    // Later, since this call comes from within its channel.
    loop_.later([held = std::shared_ptr<Runner>{std::move(node.mapped())}] {});
    on_runner_gone_();
}

}  // namespace berth::egress
