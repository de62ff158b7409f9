#include "tests/runner/hand_played.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "model/limits.h"

namespace berth {

Stage::Stage(RootKey root_key, Manager manager) : manager_{manager} {
    const auto key_file = folder.path() / "root.key";
    if (root_key == RootKey::there) REQUIRE(vault::make_root_key_file(key_file));
    start_runner();
    connect_berthd();
}

void Stage::start_runner() {
    auto to_manager = make_seqpacket_pair();
    keeper_ = std::move(to_manager.a);
    const auto key_file = folder.path() / "root.key";
    runner = std::make_unique<runner::Runner>(
        loop, clock,
        runner::Keys{vault::load_root_key(key_file, ::geteuid(), folder.path() / "store")},
        SecretMemory::unlocked,
        runner::Runner::Events{[this] { daemon_gone = true; }, [] {}, [] {}},
        manager_ == Manager::there ? DescriptorStore{std::move(to_manager.b)} : DescriptorStore{});
    auto to_launcher = make_seqpacket_pair();
    launcher = std::move(to_launcher.a);
    runner->attach_launcher(std::move(to_launcher.b));
}

const DescriptorStore::Kept& Stage::kept() {
    for (;;) {
        Packet packet = runner::receive_packet(keeper_.get());
        if (packet.state != Packet::State::received) return kept_;
        const std::string text{packet.bytes.data(), packet.size};
        const auto name = text.substr(text.find("FDNAME=") + 7);
        const auto end = name.find('\n');
        if (text.starts_with("FDSTOREREMOVE=1"))
            kept_.erase(name);
        else
            for (Fd& fd : packet.descriptors)
                kept_[name.substr(0, end)].push_back(std::move(fd));
    }
}

void Stage::runner_goes() {
    (void)kept();
    runner->leave_now();
    runner.reset();
    berthd.reset();
    heard = {};
}

void Stage::runner_starts() {
    DescriptorStore::Kept copies;
    for (const auto& [name, fds] : kept_)
        for (const Fd& fd : fds)
            copies[name].emplace_back(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    start_runner();
    runner->take_left(std::move(copies));
    connect_berthd();
    launcher_says_hello();
    run_until(loop, [&] { return !heard.live_runs.empty(); });
}

void Stage::connect_berthd() {
    auto to_berthd = make_seqpacket_pair();
    berthd = std::make_unique<ipc::Channel>(
        loop, std::move(to_berthd.a),
        ipc::Channel::Events{[this](ipc::MessageType type, std::string_view payload) {
                                 heard.take(type, payload);
                                 if (acknowledges) acknowledge(*berthd, type, payload);
                             },
                             [this](std::string why) { heard.closed = std::move(why); }});
    runner->serve_daemon(std::move(to_berthd.b));
}

void Stage::berthd_comes_back() {
    berthd.reset();
    run_until(loop, [&] { return daemon_gone; });
    daemon_gone = false;
    heard = {};
    connect_berthd();
    run_until(loop, [&] { return !heard.live_runs.empty(); });
}

void Stage::launcher_says_hello() {
    ipc::Hello hello;
    hello.slots = 8;
    hello.first_uid = 70'000;
    hello.protections = ipc::protection_seccomp;
    hello.pool_size = 2;
    REQUIRE(runner::send_record(launcher.get(), hello) == 0);
    run_until(loop, [&] { return !heard.hellos.empty() && heard.hellos.back().launcher_present; });
}

void Stage::load_keys() {
    ipc::LoadKeys load;
    load.install_id = std::string(16, 'i');
    load.keks = keks_;
    berthd->send(load);
    run_until(loop, [&] { return !heard.loaded.empty(); });
    REQUIRE(heard.loaded.back().ok);
    if (!keks_.empty()) return;
    keks_ = heard.loaded.back().fresh;
    ipc::NewDataKey wanted;
    wanted.request = 1;
    wanted.scope = {ipc::ScopeKind::tenant, 5};
    wanted.key_id = 9;
    berthd->send(wanted);
    run_until(loop, [&] { return !heard.data_keys.empty(); });
    REQUIRE(heard.data_keys.back().why.empty());
    data_key_ = heard.data_keys.back().key;
}

ipc::RunSecret Stage::sealed_secret(const std::string& name, std::string_view value) {
    ipc::RunSecret secret;
    secret.names = {name};
    secret.where = {{ipc::ScopeKind::tenant, 5}, 3, "key", 1};
    secret.data_key = data_key_;
    ipc::Seal seal;
    seal.data_key = data_key_;
    seal.where = secret.where;
    seal.plaintext = Secret{value};
    berthd->send(seal);
    const auto before = heard.sealed.size();
    run_until(loop, [&] { return heard.sealed.size() > before; });
    REQUIRE(heard.sealed.back().why.empty());
    secret.envelope = heard.sealed.back().envelope;
    return secret;
}

ipc::MakeManifest next_list(const ipc::Manifest& last, const std::vector<ipc::RunSecret>& secrets) {
    ipc::MakeManifest question;
    question.before = last;
    question.before.scope = secrets.at(0).where.scope;
    question.data_key = secrets[0].data_key;
    for (const ipc::RunSecret& secret : secrets)
        question.entries.push_back({secret.where.connector_id, secret.where.field,
                                    secret.where.version,
                                    secret.envelope.substr(secret.envelope.size() - 16)});
    return question;
}

ipc::Manifest signed_list(const ipc::MakeManifest& question, const std::string& mac) {
    return {question.before.scope, question.data_key, question.before.counter + 1, question.entries,
            mac};
}

ipc::Manifest Stage::list_of(const std::vector<ipc::RunSecret>& secrets) {
    const auto question = next_list(last_list_, secrets);
    const auto before = heard.manifests.size();
    berthd->send(question);
    run_until(loop, [&] { return heard.manifests.size() > before; });
    REQUIRE(heard.manifests.back().why.empty());
    return last_list_ = signed_list(question, heard.manifests.back().mac);
}

ipc::Start Stage::start(std::int64_t run_id) const {
    ipc::Start start;
    start.run_id = run_id;
    start.attempt = 1;
    start.argv = {"/bin/true"};
    start.env = {"A=1"};
    start.runtime = "host";
    start.release = "r1";
    start.memory_bytes = limits::kMemoryBytes;
    start.wall_time_s = 600;
    return start;
}

Packet Stage::receive(int socket) {
    Packet packet;
    run_until(loop, [&] {
        packet = runner::receive_packet(socket);
        return packet.state != Packet::State::nothing_yet;
    });
    return packet;
}

ipc::BuildRequest Stage::next_request() {
    const auto request = next_at_launcher().as<ipc::BuildRequest>(ipc::Record::build);
    REQUIRE(request);
    return *request;
}

void Stage::reply_failed(const ipc::BuildRequest& request, ipc::Step step, int err) {
    ipc::Ready reply;
    reply.id = request.id;
    reply.step = step;
    reply.err = err;
    REQUIRE(runner::send_record(launcher.get(), reply) == 0);
}

PlayedSandbox Stage::reply_built(const ipc::BuildRequest& request, int cgroup_dir) {
    ipc::Ready ready;
    ready.id = request.id;
    return hand_out(ready, cgroup_dir);
}

PlayedSandbox Stage::park(std::uint32_t slot, std::uint64_t serial) {
    ipc::Ready ready;
    ready.kind = runner::make_build_request(start(1)).value().kind;
    ready.slot = slot;
    ready.serial = serial;
    ready.build_us = 1500;
    auto sandbox = hand_out(ready);
    run_until(loop, [&] {  // the runner has read it
        int unread = -1;
        return ::ioctl(launcher.get(), SIOCOUTQ, &unread) == 0 && unread == 0;
    });
    return sandbox;
}

ipc::TakeRequest Stage::next_take() {
    const auto take = next_at_launcher().as<ipc::TakeRequest>(ipc::Record::take);
    REQUIRE(take);
    return *take;
}

Packet Stage::next_at_launcher() {
    for (;;) {
        Packet packet = receive(launcher.get());
        if (!packet.as<ipc::KillRequest>(ipc::Record::kill)) return packet;
    }
}

ipc::KillRequest Stage::next_kill() {
    const auto kill = receive(launcher.get()).as<ipc::KillRequest>(ipc::Record::kill);
    REQUIRE(kill);
    return *kill;
}

void Stage::answer_take(ipc::Step step, int err) {
    ipc::Attached answer;
    answer.step = step;
    answer.err = err;
    REQUIRE(runner::send_record(launcher.get(), answer) == 0);
}

PlayedSandbox Stage::hand_out(ipc::Ready reply, int cgroup_dir) {
    auto plan = make_seqpacket_pair();
    auto status = make_seqpacket_pair();
    PlayedSandbox sandbox;
    Pipe alone = make_pipe();  // at its end when the child holds no descriptor of ours
    sandbox.pid = ::fork();
    REQUIRE(sandbox.pid >= 0);
    if (sandbox.pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::syscall(SYS_close_range, 3, ~0U, 0);  // an end it held would never be at its end
        for (;;)
            ::pause();
    }
    alone.write.reset();
    char byte = 0;
    REQUIRE(::read(alone.read.get(), &byte, 1) == 0);
    const Fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, sandbox.pid, 0))};
    REQUIRE(pidfd);
    sandbox.plan = std::move(plan.a);
    sandbox.status = std::move(status.a);
    reply.protections = ipc::protection_seccomp;
    reply.has_cgroup = cgroup_dir < 0 ? 0 : 1;
    const int fds[] = {plan.b.get(), status.b.get(), pidfd.get(), cgroup_dir};
    REQUIRE(runner::send_record(launcher.get(), reply, {fds, 3 + reply.has_cgroup}) == 0);
    return sandbox;
}

void Stage::await_plan(PlayedSandbox& sandbox) {
    run_until(loop, [&] {
        return runner::receive_packet(sandbox.plan.get(), MSG_PEEK).state ==
               Packet::State::received;
    });
}

void Stage::take_plan(PlayedSandbox& sandbox) {
    sandbox.plan_packet = receive(sandbox.plan.get());
    const Packet& packet = sandbox.plan_packet;
    REQUIRE(packet.state == Packet::State::received);
    sandbox.plan_bytes.assign(packet.bytes.data(), packet.size);
    REQUIRE(packet.size >= sizeof sandbox.header);
    std::memcpy(&sandbox.header, packet.bytes.data(), sizeof sandbox.header);
    REQUIRE(sandbox.header.header.record == ipc::Record::plan);
    REQUIRE(sandbox.header.bytes == packet.size);
    REQUIRE(packet.descriptors.size() == 3);
}

PlayedSandbox Stage::run(const ipc::Start& start) {
    berthd->send(start);
    auto sandbox = reply_built(next_request());
    take_plan(sandbox);
    sandbox.plan.reset();
    const auto before = heard.started.size();
    run_until(loop, [&] { return heard.started.size() > before; });
    return sandbox;
}

void Stage::end(PlayedSandbox& sandbox, int wait_status) {
    ipc::EndReport report;
    report.wait_status = wait_status;
    report.user_us = 11;
    report.system_us = 22;
    report.max_rss_bytes = 33;
    REQUIRE(runner::send_record(sandbox.status.get(), report) == 0);
    sandbox.plan_packet.descriptors.clear();
    sandbox.die();
}

const ipc::Ended& Stage::ended(std::int64_t run) {
    run_until(loop, [&] { return heard.ended.count(run) != 0; });
    return heard.ended.at(run);
}

}  // namespace berth
