#include "sandbox/runner/launcher_client.h"

#include <cstring>
#include <utility>

#include "base/error.h"

namespace berth::runner {
namespace {

constexpr const char* kNotThere =
    "the launcher is not there; see whether berth-launcher is running";

Sandbox to_sandbox(const ipc::Ready& reply, std::vector<Fd>& descriptors) {
    Sandbox sandbox;
    sandbox.protections = reply.protections;
    sandbox.plan = std::move(descriptors[0]);
    sandbox.status = std::move(descriptors[1]);
    sandbox.pidfd = std::move(descriptors[2]);
    if (descriptors.size() > 3) sandbox.cgroup = std::move(descriptors[3]);
    return sandbox;
}

}  // namespace

LauncherClient::LauncherClient(Loop& loop, Events events)
    : loop_{loop}, events_{std::move(events)} {}

void LauncherClient::attach(Fd connected) {
    poll_.reset();
    hello_.reset();
    socket_ = std::move(connected);
    poll_.emplace(loop_, socket_.get(), [this](int events) { ready(events); });
    poll_->want(Poll::readable);
}

std::uint64_t LauncherClient::build(ipc::BuildRequest request, Callback<void(BuildResult)> done) {
    const std::uint64_t id = next_id_++;
    waiting_.emplace(id, std::move(done));
    if (!hello_) {
        loop_.later([this, alive = alive_, id] {
            if (*alive) answer(id, BuildFailed{kNotThere, ENOTCONN});
        });
        return id;
    }
    request.id = id;
    unsent_.push_back(request);
    write_some();
    return id;
}

void LauncherClient::ready(int events) {
    const auto alive = alive_;
    if ((events & Poll::writable) != 0) write_some();
    if ((events & (Poll::readable | Poll::hung_up)) == 0) return;
    // Until nothing is left, since an answer's handler may also drop the connection.
    while (*alive && socket_) {
        Packet packet = receive_packet(socket_.get());
        if (packet.state == Packet::State::nothing_yet) return;
        take(std::move(packet));
    }
}

void LauncherClient::take(Packet packet) {
    if (packet.state == Packet::State::closed) return drop("it has closed the connection");
    if (packet.state == Packet::State::broken) return drop(std::strerror(packet.err));
    if (!hello_) {
        hello_ = packet.as<ipc::Hello>(ipc::Record::hello);
        if (!hello_) return drop("its first record is not a hello of this release");
        return events_.on_hello();
    }
    const auto reply = packet.as<ipc::Ready>(ipc::Record::ready);
    const std::size_t count = packet.descriptors.size();
    if (!reply) return drop("it sent a record that is not a build reply");
    if (reply->step != ipc::Step::none)
        return answer(reply->id, BuildFailed{ipc::step_text(reply->step), reply->err});
    if (count != 3 + reply->has_cgroup) return drop("it sent a sandbox without its descriptors");
    answer(reply->id, to_sandbox(*reply, packet.descriptors));
}

void LauncherClient::answer(std::uint64_t id, BuildResult result) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) return;  // forgotten: `result` closes what came
    auto done = std::move(found->second);
    waiting_.erase(found);
    done(std::move(result));
}

void LauncherClient::write_some() {
    while (!unsent_.empty()) {
        const int err = send_record(socket_.get(), unsent_.front());
        if (err == EAGAIN) break;
        unsent_.pop_front();
        if (err != 0) break;  // the read side finds the end, on its own turn
    }
    if (poll_) poll_->want(Poll::readable | (unsent_.empty() ? 0 : Poll::writable));
}

void LauncherClient::drop(std::string why) {
    poll_.reset();
    socket_.reset();
    hello_.reset();
    unsent_.clear();
    const auto alive = alive_;
    for (auto gone = std::exchange(waiting_, {}); auto& [id, done] : gone) {
        done(BuildFailed{kNotThere, ECONNRESET});
        if (!*alive) return;
    }
    events_.on_gone(std::move(why));
}

}  // namespace berth::runner
