#include "tests/egress/test_network.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/pipe.h"

extern char** environ;

namespace berth::egress_test {
namespace {

pid_t spawn(std::vector<std::string> words, int in = -1, int out = -1) {
    std::vector<char*> argv;
    for (auto& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    if (in >= 0) ::posix_spawn_file_actions_adddup2(&actions, in, 0);
    if (out >= 0) ::posix_spawn_file_actions_adddup2(&actions, out, 1);
    pid_t pid = -1;
    const int err = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (err != 0) throw SystemError{err, "starting " + words[0]};
    return pid;
}

void run(const std::vector<std::string>& words) {
    int status = 0;
    ::waitpid(spawn(words), &status, 0);
    INFO(words[0] << " " << words.back());
    REQUIRE(status == 0);
}

void ip(const std::string& line) { run({"sh", "-c", "ip " + line}); }

std::string line_from(FILE* from) {
    char* line = nullptr;
    std::size_t room = 0;
    const ssize_t n = ::getline(&line, &room, from);
    std::string text = n > 0 ? std::string(line, static_cast<std::size_t>(n) - 1) : "";
    ::free(line);
    return text;
}

// Over the file of the same name, in our own mount namespace only.
void show_instead(const std::string& folder, const std::string& name, const std::string& text) {
    write_file_atomically(folder + "/" + name, text, 0644);
    check(
        ::mount((folder + "/" + name).c_str(), ("/etc/" + name).c_str(), nullptr, MS_BIND, nullptr),
        "mounting '{}'", name);
}

Fd listen_on_all(std::uint16_t port) {
    Fd socket{check(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "making")};
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port);
    check(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), "binding");
    check(::listen(socket.get(), 4096), "listening");
    return socket;
}

void make_certificates(const std::string& folder) {
    run({"sh", "-c",
         "cd " + folder +
             " && { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
             "-days 2 -subj '/CN=Test CA' -keyout ca.key -out ca.pem && "
             "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
             "-subj /CN=allowed.test -keyout server.key -out server.csr && "
             "printf 'subjectAltName=DNS:allowed.test,DNS:other.test,DNS:both.test,DNS:v6.test\\n' "
             ">ext && "
             "openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
             "-extfile ext -out server.crt && cat server.crt server.key >server.pem; } "
             ">openssl.log 2>&1"});
}

}  // namespace

TestNetwork::TestNetwork() {
    const std::string folder = folder_.path();
    make_certificates(folder);
    check(::unshare(CLONE_NEWNET | CLONE_NEWNS), "leaving the machine's network");
    check(::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr), "keeping mounts private");
    show_instead(folder, "resolv.conf", "nameserver 5.5.5.53\noptions timeout:10 attempts:1\n");
    show_instead(folder, "hosts", "127.0.0.1 localhost\n10.0.0.7 hosts-file.test\n");

    Pipe in = make_pipe();
    Pipe out = make_pipe();
    world_ = spawn(
        {"unshare", "-n", "/usr/bin/python3", BERTH_SOURCE_DIR "/tests/egress/world.py", folder},
        in.read.get(), out.write.get());
    out.write.reset();
    to_world_ = ::fdopen(in.write.release(), "w");
    from_world_ = ::fdopen(out.read.release(), "r");
    const std::string pid = line_from(from_world_);
    REQUIRE_FALSE(pid.empty());
    ip("link set lo up");
    ip("link add h0 type veth peer name w0 netns " + pid);
    ip("addr add 5.5.5.1/24 dev h0");
    ip("-6 addr add 2a00:5::1/64 dev h0 nodad");
    ip("link set h0 up");
    REQUIRE(question("go") == "ready");
    ip("route add default via 5.5.5.2");
    ip("-6 route add default via 2a00:5::2");
    host_ = listen_on_all(80);
}

TestNetwork::~TestNetwork() {
    // For the next one in this process.
    (void)::umount2("/etc/resolv.conf", MNT_DETACH);
    (void)::umount2("/etc/hosts", MNT_DETACH);
    if (to_world_ != nullptr) ::fclose(to_world_);
    if (from_world_ != nullptr) ::fclose(from_world_);
    if (world_ < 0) return;
    ::kill(world_, SIGKILL);
    ::waitpid(world_, nullptr, 0);
}

std::string TestNetwork::question(const std::string& line) {
    std::fputs((line + "\n").c_str(), to_world_);
    std::fflush(to_world_);
    return line_from(from_world_);
}

std::string TestNetwork::reached() {
    std::string all;
    for (const auto& at : nlohmann::json::parse(question("reached")))
        all += (all.empty() ? "" : " ") + at[0].get<std::string>() + ":" +
               std::to_string(at[1].get<int>());
    return all;
}

int TestNetwork::asked(const std::string& name) {
    return nlohmann::json::parse(question("asked")).value(name, 0);
}

int TestNetwork::host_reached() {
    for (Fd connected;
         connected.reset(::accept4(host_.get(), nullptr, nullptr, SOCK_CLOEXEC)), connected;)
        ++host_reached_;
    return host_reached_;
}

std::string TestNetwork::ca() const {
    return read_file(folder_.path() / "ca.pem", 64 * 1024).value();
}

}  // namespace berth::egress_test
