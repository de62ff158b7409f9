#include "tests/egress/host.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/loop/stream.h"

namespace berth::egress_test {
namespace {

constexpr uid_t kUid = 64'321;

}  // namespace

Egress::Egress(std::vector<std::string> options) : options_{std::move(options)} {
    std::filesystem::permissions(folder_.path(), std::filesystem::perms{0711});
    auto bound = Listener::bind(path(), 0666, SOCK_SEQPACKET);
    REQUIRE(bound);
    listening_ = std::move(*bound);
}

void Egress::start(Loop& loop, uid_t runner_uid) {
    constexpr int kFd = 3;
    ChildOptions starting;
    starting.argv = {BERTH_BINARY_DIR "/bin/berth-egress", "--listen-fd", std::to_string(kFd),
                     "--runner-uid", std::to_string(runner_uid)};
    starting.argv.insert(starting.argv.end(), options_.begin(), options_.end());
    starting.env = {"ASAN_OPTIONS=quarantine_size_mb=1"};  // as for the runner
    starting.fds = {{listening_.get(), kFd}};
    starting.uid = kUid;
    starting.gid = kUid;
    starting.drop_capabilities = true;
    program = std::make_unique<Child>(loop, starting, [this](int) { ended = true; });
}

Host::Host(const std::vector<std::string>& options)
    : egress{options}, programs{{"--egress-socket", egress.path()}} {
    std::ofstream{programs.release() / "ca.pem"} << net.ca();
    start_egress();
    run_until(programs.loop, [this] { return programs.heard.hellos.back().egress_present; });
}

ipc::Start Host::script(std::int64_t run, const std::string& text,
                        std::vector<std::string> names) const {
    ipc::Start start = programs.script(run, text);
    start.network = static_cast<std::uint32_t>(ipc::Network::egress);
    start.egress_names = std::move(names);
    start.env.emplace_back("CURL_CA_BUNDLE=/app/ca.pem");
    start.env.emplace_back("SSL_CERT_FILE=/app/ca.pem");
    start.env.emplace_back("NODE_EXTRA_CA_CERTS=/app/ca.pem");
    return start;
}

std::string Host::said(const std::string& text, std::vector<std::string> names) {
    const auto run = ++last_run;
    const auto& ended = programs.run(script(run, text, std::move(names)));
    INFO(ended.text);
    REQUIRE(ended.kind == ipc::EndKind::exited);
    return programs.out(run) + (ended.number == 0 ? "" : programs.err(run));
}

std::string Host::record(std::int64_t run) const {
    std::string text;
    for (const auto& made : programs.heard.connections)
        if (made.run_id == run)
            text += fmt::format("{} {}:{} {}\n", made.name, made.address, made.port,
                                made.refused.empty() ? "ok" : made.refused);
    return text;
}

}  // namespace berth::egress_test
