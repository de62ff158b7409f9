// berth-egress between its runners and the runs that they hand over. The runs of a runner
// that goes are served on for a while: whoever comes next hands the live ones over again,
// and their connections do not notice.
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
#include "base/loop/timer.h"
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
    std::size_t runs() const { return runs_.size(); }

private:
    struct RunKey {
        std::int64_t run_id = 0;
        std::int32_t attempt = 0;
        auto operator<=>(const RunKey&) const = default;
    };
    struct Served {
        std::uint64_t runner = 0;             // whose it is; 0: that one has gone
        std::vector<ipc::Connection> untold;  // meanwhile
        std::unique_ptr<Timer> alone;         // likewise: how long it may be
        std::unique_ptr<ServedRun> run;
    };
    void receive(std::uint64_t id, ipc::EgressType type, std::string_view payload,
                 std::vector<Fd> fds);
    void begin(std::uint64_t id, ipc::EgressServe message, std::vector<Fd> listeners);
    void take_over(std::uint64_t id, Served& served);
    void tell(RunKey key, const ipc::Connection& connection);
    void stop(std::uint64_t id, const ipc::EgressStop& message);
    void end(RunKey key);
    void gone(std::uint64_t id, const std::string& why);

    Loop& loop_;
    const Clock& clock_;
    const Rules rules_;
    std::function<void()> on_runner_gone_;
    std::uint64_t next_id_ = 1;
    std::map<std::uint64_t, std::unique_ptr<ipc::EgressChannel>> runners_;
    std::map<RunKey, Served> runs_;
};

}  // namespace berth::egress
