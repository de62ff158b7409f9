#include "sandbox/runner/launcher_client.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/error.h"

namespace berth::runner {
namespace {

constexpr const char* kNotThere =
    "the launcher is not there; see whether berth-launcher is running";

constexpr const char* kNoDescriptors =
    "berth-runner has no descriptors left; raise LimitNOFILE=, or lower 'max_runs'";

bool same_class(const ipc::Class& a, const ipc::Class& b) {
    static_assert(std::has_unique_object_representations_v<ipc::Class>);
    return std::memcmp(&a, &b, sizeof a) == 0;
}

Sandbox to_sandbox(const ipc::Ready& reply, std::vector<Fd>& descriptors) {
    Sandbox sandbox;
    sandbox.name = {reply.slot, reply.serial};
    sandbox.protections = reply.protections;
    sandbox.plan = std::move(descriptors[0]);
    sandbox.status = std::move(descriptors[1]);
    sandbox.pidfd = std::move(descriptors[2]);
    if (reply.has_cgroup != 0) sandbox.cgroup = std::move(descriptors[3]);
    for (std::size_t i = 3 + reply.has_cgroup; i < descriptors.size(); ++i)
        sandbox.listeners.push_back(std::move(descriptors[i]));
    return sandbox;
}

}  // namespace

LauncherClient::LauncherClient(Loop& loop, const Clock& clock, Events events)
    : loop_{loop},
      events_{std::move(events)},
      shelf_{loop, clock,
             [this] {
                 tend_soon();
                 pool_changed();
             }},
      tend_{loop, [this] { tend(); }} {}

void LauncherClient::attach(Fd connected) {
    detach();
    socket_ = std::move(connected);
    poll_.emplace(loop_, socket_.get(), [this](int events) { ready(events); });
    poll_->want(Poll::readable);
}

void LauncherClient::detach() noexcept {
    poll_.reset();
    socket_.reset();
    hello_.reset();
    unsent_.clear();
    parked_.clear();
    shelf_.open(0);
    tend_.stop();
    tending_soon_ = false;
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
    ++pool_.misses;
    unsent_.emplace_back(request);
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
        receive(std::move(packet));
    }
}

void LauncherClient::receive(Packet packet) {
    if (packet.state == Packet::State::closed) return drop("it has closed the connection");
    if (packet.state == Packet::State::broken) return drop(std::strerror(packet.err));
    if (!hello_) {
        hello_ = packet.as<ipc::Hello>(ipc::Record::hello);
        if (!hello_) return drop("its first record is not a hello of this release");
        pool_.size = hello_->pool_size;
        shelf_.open(hello_->pool_size);
        return events_.on_hello();
    }
    if (const auto answer = packet.as<ipc::Attached>(ipc::Record::attached))
        return take_answered(*answer);
    if (const auto gone = packet.as<ipc::Retire>(ipc::Record::retire)) return retire(*gone);
    const auto reply = packet.as<ipc::Ready>(ipc::Record::ready);
    const std::size_t count = packet.descriptors.size();
    if (!reply) return drop("it sent a record that is none of its own");
    if (reply->step != ipc::Step::none)
        return answer(reply->id, BuildFailed{ipc::step_text(reply->step), reply->err});
    if (packet.lacks_descriptors)  // what came is closed, which ends the sandbox
        return answer(reply->id, BuildFailed{kNoDescriptors, EMFILE});
    if (reply->has_cgroup > 1 || count != 3 + reply->has_cgroup + reply->listeners)
        return drop("it sent a sandbox without its descriptors");
    Sandbox sandbox = to_sandbox(*reply, packet.descriptors);
    if (reply->id == 0) return park(*reply, std::move(sandbox));
    answer(reply->id, std::move(sandbox));
}

// ---- sandboxes that wait for runs

void LauncherClient::park(const ipc::Ready& ready, Sandbox sandbox) {
    parked_.push_back({ready.kind, std::move(sandbox)});
    ++pool_.built;
    pool_.build_total_us += ready.build_us;
    tend_soon();
    pool_changed();
}

// Complete ones are not known to the launcher by name: it asks for a number of them.
void LauncherClient::retire(const ipc::Retire& retire) {
    std::erase_if(parked_, [&](const Parked& one) {
        return one.sandbox.name.slot == retire.slot && one.sandbox.name.serial == retire.serial;
    });
    std::size_t left = retire.complete - shelf_.let_go(retire.complete);
    for (Take& take : takes_)
        if (left > 0 && take.ahead && take.ahead->sandbox.status) {
            take.ahead->sandbox = {};
            --left;
        }
    pool_changed();
}

std::optional<LauncherClient::Taken> LauncherClient::take(const ipc::BuildRequest& request) {
    if (!hello_) return {};
    shelf_.wish(request);
    tend_soon();
    if (auto complete = shelf_.take(request)) {
        ++pool_.hits;
        ++pool_.complete_hits;
        pool_changed();
        return Taken{std::move(*complete), 0};
    }
    auto parked = take_parked(request);
    if (!parked) return {};
    Taken taken{std::move(*parked), next_id_++};
    takes_.push_back({taken.id, {}, {}});
    write_some();
    pool_changed();
    return taken;
}

// With the word to the launcher in the queue. The caller adds to takes_, and writes.
std::optional<Sandbox> LauncherClient::take_parked(const ipc::BuildRequest& request) {
    const auto found = std::ranges::find_if(
        parked_, [&](const Parked& one) { return same_class(one.kind, request.kind); });
    if (found == parked_.end()) return {};
    Sandbox sandbox = std::move(found->sandbox);
    parked_.erase(found);
    ipc::TakeRequest take;
    take.slot = sandbox.name.slot;
    take.serial = sandbox.name.serial;
    take.assignment = request.assignment;
    unsent_.emplace_back(take);
    return sandbox;
}

// A little later, so that a run that has just begun is not slowed by its successor's
// sandbox.
void LauncherClient::tend_soon() {
    constexpr std::chrono::milliseconds kPause{5};
    if (shelf_.most() == 0 || std::exchange(tending_soon_, true)) return;
    tend_.start(kPause);
}

void LauncherClient::tend() {
    tending_soon_ = false;
    shelf_.let_go_of_old();
    while (const auto wish =
               shelf_.next_wish(coming(), [this](const auto& kind) { return can_spare(kind); })) {
        takes_.push_back({0, {}, Ahead{*wish, *take_parked(*wish)}});
        write_some();
    }
    pool_changed();
    if (const auto next = shelf_.next_change(); next && !tending_soon_) tend_.start(*next);
}

// More than half of its class: those are for runs of any request.
bool LauncherClient::can_spare(const ipc::Class& kind) const {
    const auto parked = std::ranges::count_if(
        parked_, [&](const Parked& one) { return same_class(one.kind, kind); });
    return static_cast<std::size_t>(parked) > hello_->pool_size / 2;
}

std::size_t LauncherClient::coming() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(takes_, [](const Take& take) { return take.ahead.has_value(); }));
}

void LauncherClient::when_answered(std::uint64_t id, Callback<void(ipc::Attached)> answered) {
    for (Take& take : takes_)
        if (take.id == id) take.answered = std::move(answered);
}

void LauncherClient::take_answered(const ipc::Attached& answer) {
    if (takes_.empty()) return drop("it answered what it was not asked");
    Take take = std::move(takes_.front());
    takes_.pop_front();
    if (!take.ahead) {
        if (answer.step != ipc::Step::slot) ++pool_.hits;
    } else if (answer.step == ipc::Step::none && take.ahead->sandbox.status) {
        shelf_.put(take.ahead->request, std::move(take.ahead->sandbox));
        tend_soon();  // for its age
    }
    pool_changed();
    if (take.answered) take.answered(answer);
}

void LauncherClient::forget(std::uint64_t id) noexcept {
    waiting_.erase(id);
    for (Take& take : takes_)
        if (take.id == id) take.answered = {};
}

void LauncherClient::kill(const SandboxName& name) {
    if (!hello_ || name.serial == 0) return;
    ipc::KillRequest kill;
    kill.slot = name.slot;
    kill.serial = name.serial;
    unsent_.emplace_back(kill);
    write_some();
}

void LauncherClient::pool_changed() {
    pool_.parked = static_cast<std::uint32_t>(parked_.size());
    pool_.complete = static_cast<std::uint32_t>(shelf_.size());
    events_.on_pool();
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
        const int err =
            std::visit([this](const auto& request) { return send_record(socket_.get(), request); },
                       unsent_.front());
        if (err == EAGAIN) break;
        unsent_.pop_front();
        if (err != 0) break;  // the read side finds the end, on its own turn
    }
    if (poll_) poll_->want(Poll::readable | (unsent_.empty() ? 0 : Poll::writable));
}

void LauncherClient::drop(std::string why) {
    detach();
    const auto alive = alive_;
    for (auto asked = std::exchange(takes_, {}); Take & take : asked) {
        if (take.answered) take.answered({});
        if (!*alive) return;
    }
    pool_changed();
    for (auto gone = std::exchange(waiting_, {}); auto& [id, done] : gone) {
        done(BuildFailed{kNotThere, ECONNRESET});
        if (!*alive) return;
    }
    events_.on_gone(std::move(why));
}

}  // namespace berth::runner
