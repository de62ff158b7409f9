// A real OAuth2 server (provider.cjs) and a customer's browser (browser.py), as children.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/file.h"

namespace berth::test {

inline constexpr const char* kPublicUrl = "http://public.berth.test";

class Provider {
public:
    Provider();
    Provider(const Provider&) = delete;
    Provider& operator=(const Provider&) = delete;
    ~Provider() { kill(); }

    void start();  // again, on the same port, with the grants that it had
    void kill();   // SIGKILL
    const std::string& port() const { return port_; }
    std::string url(const std::string& path) const { return "http://127.0.0.1:" + port_ + path; }

    // A line of provider.cjs's; what it has counted since its start.
    nlohmann::json command(const std::string& line);

private:
    std::string read_line();

    TempDir dir_{"provider"};
    std::string port_ = "0";
    pid_t pid_ = -1;
    Fd in_, out_;
    std::string rest_;
};

// Where npm's packages are; empty when they are not installed (`./dev npm`).
std::filesystem::path npm_modules();

// browser.py, with its arguments after the public socket; its lines.
std::vector<nlohmann::json> browse(const std::filesystem::path& public_socket,
                                   const std::vector<std::string>& arguments);

}  // namespace berth::test
