// What a Reply holds of the connection that its request came on. Outlives the
// connection when the Reply does; from then on it does nothing. Thread: loop.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "control/http_connection.h"

namespace berth {

class Exchange final : public Responder {
public:
    Exchange(HttpConnection& connection, const RequestHead& head)
        : connection_{&connection}, method_{head.method}, version_{head.version} {}

    Method method() const { return method_; }
    HttpVersion version() const { return version_; }

    void respond(Response response) override {
        if (connection_) connection_->respond(std::move(response));
    }
    void begin(Response head) override {
        if (connection_) connection_->begin(std::move(head));
    }
    void send(std::string bytes) override {
        if (connection_) connection_->send(std::move(bytes));
    }
    void finish() override {
        tell_gone_ = {};
        tell_drained_ = {};
        if (connection_) connection_->finish();
    }
    bool gone() const override { return connection_ == nullptr; }
    std::size_t unsent() const override {
        return connection_ ? connection_->stream_.queued_bytes() : 0;
    }
    void on_gone(std::function<void()> tell) override { tell_gone_ = std::move(tell); }
    void on_drained(std::function<void()> tell) override { tell_drained_ = std::move(tell); }

    // From the connection: all is written; the Reply talks to nobody from here
    // on; the client has left before the end. Each may end the exchange.
    void drained() {
        if (const auto tell = tell_drained_) tell();
    }
    void detach() { connection_ = nullptr; }
    void tell_gone() {
        tell_drained_ = {};
        if (const auto tell = std::exchange(tell_gone_, {})) tell();
    }

private:
    HttpConnection* connection_;
    Method method_;
    HttpVersion version_;
    std::function<void()> tell_gone_;
    std::function<void()> tell_drained_;
};

}  // namespace berth
