// Stands in for the daemon: a real Unix socket that answers with what a test has
// laid down, and remembers what it was asked.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/file.h"
#include "base/guarded.h"
#include "cli/cli.h"

namespace berth::test {

struct Asked {
    std::string method;
    std::string target;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
};

struct Answer {
    int status = 200;
    std::string body;
    std::map<std::string, std::string> headers = {};
};

// An answer that is a stream of server-sent events and ends with the connection.
Answer events(const std::string& text);
std::string chunk_event(int seq, const std::string& stream, const std::string& text);

class FakeDaemon {
public:
    using Handler = std::function<Answer(const Asked&)>;

    FakeDaemon();
    FakeDaemon(const FakeDaemon&) = delete;
    FakeDaemon& operator=(const FakeDaemon&) = delete;
    ~FakeDaemon();

    // `what` is `GET /v2/tenants/7?x=1`, query included. A route may be laid anew.
    void on(const std::string& what, Answer answer);
    void on(const std::string& what, Handler handler);

    std::vector<Asked> asked() const;
    // The only request with this method and the beginning of its target.
    Asked only(const std::string& method, const std::string& target) const;
    std::string socket() const { return (dir_.path() / "control.sock").string(); }
    std::filesystem::path dir() const { return dir_.path(); }

private:
    struct State {
        std::map<std::string, Handler> routes;
        std::vector<Asked> asked;
    };
    void accept_all();
    void serve(const Fd& connection);
    Answer answer(const Asked& asked);

    TempDir dir_{"berth-cli-test"};
    Fd listening_;
    Fd stop_read_, stop_write_;
    mutable Guarded<State> state_;
    std::thread acceptor_;
};

// What a command printed and how it ended.
struct Ran {
    Exit exit = Exit::ok;
    std::string out;
    std::string err;
};
struct Terminal {
    std::string input = {};  // standard input
    std::size_t width = 0;
    bool colour = false;
};
Ran run_berth(const std::string& socket, std::vector<std::string> arguments,
              Terminal terminal = {});
inline Ran run_berth(const FakeDaemon& daemon, std::vector<std::string> arguments,
                     Terminal terminal = {}) {
    return run_berth(daemon.socket(), std::move(arguments), std::move(terminal));
}

// Compares with tests/cli/golden/NAME; BERTH_UPDATE_GOLDEN=1 rewrites the file.
void check_golden(const std::string& name, const std::string& text);

}  // namespace berth::test
