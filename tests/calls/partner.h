// A partner for tests: partner.py on a free port of the loopback, with TLS by a CA of the
// test's own, or without. Ends with this object.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "base/fd.h"
#include "base/file.h"

namespace berth::test {

// A CA and a certificate for `localhost` and 127.0.0.1, good for a day.
class Certificates {
public:
    Certificates();
    std::filesystem::path ca() const { return folder_.path() / "ca.pem"; }
    std::filesystem::path certificate() const { return folder_.path() / "cert.pem"; }
    std::filesystem::path key() const { return folder_.path() / "key.pem"; }

private:
    TempDir folder_{"certificates"};
};

class Partner {
public:
    Partner();                                     // plain HTTP
    explicit Partner(const Certificates& of_its);  // HTTPS
    Partner(const Partner&) = delete;
    Partner& operator=(const Partner&) = delete;
    ~Partner();

    int port() const { return port_; }
    // http://localhost:PORT
    std::string at(const std::string& host = "localhost") const;

private:
    void start(std::initializer_list<std::string> arguments);

    bool tls_ = false;
    int port_ = 0;
    pid_t pid_ = -1;
    Fd input_;
};

}  // namespace berth::test
