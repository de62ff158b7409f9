#include "tests/calls/partner.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "base/pipe.h"
#include "base/text.h"

namespace berth::test {
namespace {

void must(const std::string& command) {
    INFO(command);
    REQUIRE(std::system((command + " >/dev/null 2>&1").c_str()) == 0);
}

}  // namespace

Certificates::Certificates() {
    const std::string at = folder_.path().string() + "/";
    const std::string make = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes ";
    must(make + "-x509 -days 1 -subj '/CN=a CA of tests' -keyout " + at + "ca.key -out " + at +
         "ca.pem");
    must(make + "-subj /CN=localhost -keyout " + at + "key.pem -out " + at + "cert.csr");
    write_file_atomically(folder_.path() / "names",
                          "subjectAltName = DNS:localhost, IP:127.0.0.1\n", 0644);
    must("openssl x509 -req -days 1 -in " + at + "cert.csr -CA " + at + "ca.pem -CAkey " + at +
         "ca.key -CAcreateserial -extfile " + at + "names -out " + at + "cert.pem");
}

Partner::Partner() { start({}); }

Partner::Partner(const Certificates& of_its) : tls_{true} {
    start({of_its.certificate().string(), of_its.key().string()});
}

void Partner::start(std::initializer_list<std::string> arguments) {
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    std::vector<std::string> argv{"python3",
                                  std::string{BERTH_SOURCE_DIR} + "/tests/calls/partner.py"};
    argv.insert(argv.end(), arguments);
    std::vector<char*> pointers;
    for (std::string& text : argv)
        pointers.push_back(text.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.read.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
    REQUIRE(::posix_spawnp(&pid_, "python3", &actions, nullptr, pointers.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    out.write.reset();
    in.read.reset();
    input_ = std::move(in.write);
    std::string line;
    for (char c = 0; ::read(out.read.get(), &c, 1) == 1 && c != '\n';)
        line += c;
    port_ = to_number<int>(line).value_or(0);
    REQUIRE(port_ > 0);
}

Partner::~Partner() {
    input_.reset();
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

std::string Partner::at(const std::string& host) const {
    return fmt::format("{}://{}:{}", tls_ ? "https" : "http", host, port_);
}

}  // namespace berth::test
