#include "tests/control/harness.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <random>

#include "base/loop/stream.h"

namespace berth::testing {

ServerInThread::ServerInThread(const std::function<void(Router&)>& routes,
                               const std::function<void(ServerOptions&)>& tune, Audience audience)
    : router_{audience} {
    ::signal(SIGPIPE, SIG_IGN);  // as berthd does
    socket_ = dir_.path() / "s";
    routes(router_);
    ServerOptions options;
    options.peers.daemon_uid = ::geteuid();
    options.limits.sweep = 5ms;
    options.spool_directory = dir_.path();
    if (tune) tune(options);
    auto listening = Listener::bind(socket_, 0600);
    REQUIRE(listening);
    std::promise<void> ready;
    thread_ = std::thread{[&, fd = std::move(*listening)]() mutable {
        Loop loop;
        loop_ = &loop;
        server_.emplace(loop, clock_, std::move(fd), router_, options);
        ready.set_value();
        loop.run();
        server_.reset();
    }};
    ready.get_future().wait();
}

ServerInThread::~ServerInThread() {
    loop_->post([this] { loop_->stop(); });
    thread_.join();
}

void ServerInThread::on_loop(const std::function<void()>& task) {
    std::promise<void> done;
    loop_->post([&] {
        task();
        done.set_value();
    });
    done.get_future().wait();
}

bool ServerInThread::wait_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 120s;
    while (std::chrono::steady_clock::now() < deadline) {
        bool holds = false;
        on_loop([&] { holds = condition(); });
        if (holds) return true;
        std::this_thread::yield();
    }
    return false;
}

void ServerInThread::stop(std::function<void()> stopped) {
    on_loop([&] { server_->stop(std::move(stopped)); });
}

RawClient::RawClient(const std::filesystem::path& socket) : fd_{connect_unix(socket)} {}

void RawClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void RawClient::finish_sending() { ::shutdown(fd_.get(), SHUT_WR); }

bool RawClient::read_some() {
    pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&waiting, 1, 120'000) == 1);
    char buffer[65536];
    const auto n = ::read(fd_.get(), buffer, sizeof buffer);
    if (n > 0) unread_.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
}

std::string RawClient::read_all() {
    while (read_some()) {
    }
    return std::exchange(unread_, {});
}

std::string RawClient::read_until(std::string_view mark) {
    for (;;) {
        if (const auto at = unread_.find(mark); at != unread_.npos) {
            const std::string found = unread_.substr(0, at + mark.size());
            unread_.erase(0, found.size());
            return found;
        }
        INFO("waiting for '" << mark << "', have '" << unread_ << "'");
        REQUIRE(read_some());
    }
}

int status_in(std::string_view bytes) {
    const auto all = statuses_in(bytes);
    return all.empty() ? 0 : all.front();
}

std::vector<int> statuses_in(std::string_view bytes) {
    std::vector<int> found;
    constexpr std::string_view kStart = "HTTP/1.1 ";
    for (auto at = bytes.find(kStart); at != bytes.npos; at = bytes.find(kStart, at + 1))
        if (const auto status = to_number<int>(bytes.substr(at + kStart.size(), 3)))
            found.push_back(*status);
    return found;
}

void add_test_routes(Router& router) {
    router.add({.method = Method::get,
                .pattern = "/ok",
                .summary = "says ok",
                .handler = [](Request, Reply reply) { reply.text(200, "fine"); }});
    router.add({.method = Method::post,
                .pattern = "/echo",
                .summary = "says it again",
                .handler = [](Request request, Reply reply) {
                    reply.text(200, fmt::format("[{}]", request.body));
                }});
    router.add({.method = Method::get,
                .pattern = "/items/{item_id}",
                .summary = "one item",
                .handler = [](Request request, Reply reply) {
                    const auto id = request.id<TenantId>("item_id");
                    if (!id) return reply.failed(id.error());
                    reply.text(200, id->str());
                }});
    router.add({.method = Method::get,
                .pattern = "/never",
                .summary = "keeps the reply",
                .handler = [kept = std::make_shared<std::vector<Reply>>()](Request, Reply reply) {
                    kept->push_back(std::move(reply));
                }});
    router.add({.method = Method::get,
                .pattern = "/throws",
                .summary = "fails",
                .handler = [](Request, Reply) { throw std::runtime_error{"broken"}; }});
    router.add({.method = Method::get,
                .pattern = "/drops",
                .summary = "forgets to answer",
                .handler = [](Request, Reply) {}});
    router.add({.method = Method::post,
                .pattern = "/file",
                .summary = "keeps the body in a file",
                .handler =
                    [](Request request, Reply reply) {
                        std::string text(request.body_bytes, '\0');
                        const auto n = ::read(request.body_file.get(), text.data(), text.size());
                        reply.text(200, fmt::format("{} of {}: {}", n, request.body_bytes,
                                                    text.substr(0, 20)));
                    },
                .body_limit = 8 * limits::MiB,
                .body_place = BodyPlace::file,
                .content_type = "application/x-tar"});
}

std::uint64_t random_seed() {
    const char* given = std::getenv("BERTH_SEED");
    const auto seed = given ? to_number<std::uint64_t>(given).value_or(0)
                            : static_cast<std::uint64_t>(std::random_device{}());
    std::cout << "seed: BERTH_SEED=" << seed << std::endl;
    return seed;
}

}  // namespace berth::testing
