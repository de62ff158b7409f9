// berth-egress between its runners and the runs that they hand over. A runner that
// goes takes its runs with it: whoever comes next hands the live ones over again.
#pragma once

#include <compare>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop/loop.h"
#include "sandbox/egress/served_run.h"
#include "sandbox/ipc/egress_channel.h"

namespace berth::egress {

// Thread: loop.
class Server {
public:
    Server(Loop& loop, const Clock& clock, Rules rules, std::function<void()> on_runner_gone);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();

    void serve(Fd runner);  // whose uid was checked
    std::size_t runs() const;

private:
    struct RunKey {
        std::int64_t run_id = 0;
        std::int32_t attempt = 0;
        auto operator<=>(const RunKey&) const = default;
    };
    struct Runner {
        std::unique_ptr<ipc::EgressChannel> channel;
        std::map<RunKey, std::unique_ptr<ServedRun>> runs;
    };
    void receive(std::uint64_t id, ipc::EgressType type, std::string_view payload,
                 std::vector<Fd> fds);
    void begin(Runner& runner, ipc::EgressServe message, std::vector<Fd> listeners);
    void stop(Runner& runner, const ipc::EgressStop& message);
    void gone(std::uint64_t id, const std::string& why);

    Loop& loop_;
    const Clock& clock_;
    const Rules rules_;
    std::function<void()> on_runner_gone_;
    std::uint64_t next_id_ = 1;
    std::map<std::uint64_t, std::unique_ptr<Runner>> runners_;
};

}  // namespace berth::egress
