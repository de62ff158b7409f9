// Descriptors that outlive the process: the service manager keeps copies of them and
// hands them to the next one (sd_notify(3), FDSTORE=1). Spoken to systemd, or to the
// supervisor of `berthd --all`; plain datagrams, no library.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"

namespace berth {

class DescriptorStore {
public:
    // Of a manager that does not keep any: nothing is kept.
    DescriptorStore() = default;
    // `manager` is a datagram socket whose other end is the manager's.
    explicit DescriptorStore(Fd manager);
    // The one that NOTIFY_SOCKET names, if it names one.
    static DescriptorStore from_environment();

    explicit operator bool() const noexcept { return static_cast<bool>(manager_); }

    // All of them in one message, so that the manager has all or none; they join those it
    // has of that name, which is without ':'. False when that was not possible, which is
    // logged: they are then lost with this process, as without a store.
    [[nodiscard]] bool keep(const std::string& name, std::span<const int> fds) const;
    // All of that name.
    void remove(const std::string& name) const;

    // What was kept for us, by name and in no order: to be asked once, before other
    // descriptors are opened. Taken are those whose name begins with `prefix`.
    using Kept = std::map<std::string, std::vector<Fd>>;
    static Kept inherited(const std::string& prefix);

private:
    int tell(const std::string& text, std::span<const int> fds) const;  // 0, or errno

    Fd manager_;
};

}  // namespace berth
