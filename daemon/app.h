// Builds every part of berthd, in order, and wires them: reading app_impl.h shows
// the program.
#pragma once

#include <filesystem>
#include <memory>

#include "base/fd.h"
#include "daemon/config.h"

namespace berth {

class App {
public:
    struct Sockets {  // listening
        Fd control;
        Fd open;  // for anybody; none: no webhooks, no auth links
    };
    // `config_file` is read again at SIGHUP, and taken
    // if it is right. Refusals: the store is in use, of a newer Berth, not a store ...
    // Throws SystemError and StoreError.
    static Result<std::unique_ptr<App>> make(Config config, Sockets sockets,
                                             std::filesystem::path config_file);
    virtual ~App() = default;

    // Until SIGTERM or SIGINT and all that follows; the exit code of the program.
    virtual int run() = 0;
};

}  // namespace berth
