#include "control/reply.h"

#include <utility>

#include "base/assert.h"
#include "model/json.h"

namespace berth {

StreamReply& StreamReply::operator=(StreamReply&& other) noexcept {
    end();
    to_ = std::move(other.to_);
    return *this;
}

StreamReply::~StreamReply() { end(); }

void StreamReply::event(std::string_view event, std::string_view data, std::string_view id) {
    if (gone()) return;
    std::string text;
    if (!id.empty()) text += fmt::format("id: {}\n", id);
    if (!event.empty()) text += fmt::format("event: {}\n", event);
    for (;;) {
        const auto newline = data.find('\n');
        text += fmt::format("data: {}\n", data.substr(0, newline));
        if (newline == data.npos) break;
        data.remove_prefix(newline + 1);
    }
    text += '\n';
    to_->send(std::move(text));
}

void StreamReply::send(std::string bytes) {
    if (!bytes.empty() && !gone()) to_->send(std::move(bytes));
}

void StreamReply::end() {
    if (const auto to = std::exchange(to_, nullptr)) to->finish();
}

void StreamReply::on_gone(std::function<void()> tell) {
    if (to_) to_->on_gone(std::move(tell));
}

void StreamReply::on_drained(std::function<void()> tell) {
    if (to_) to_->on_drained(std::move(tell));
}

Reply::~Reply() {
    if (to_)
        json(500, error_answer(500,
                               "the request was not answered because of a mistake in "
                               "berthd; its log may say more")
                      .body);
}

Reply& Reply::header(std::string name, std::string value) {
    headers_.add(std::move(name), std::move(value));
    return *this;
}

void Reply::json(int status, const Json& value) { json(status, to_text(value)); }

void Reply::json(int status, std::string text) {
    respond(status, "application/json", std::move(text));
}

void Reply::text(int status, std::string body, std::string_view content_type) {
    respond(status, content_type, std::move(body));
}

void Reply::empty(int status) { respond(status, {}, {}); }

void Reply::redirect(std::string_view location) {
    header("location", std::string{location});
    respond(302, {}, {});
}

void Reply::failed(const Failure& failure) {
    ErrorAnswer answer = error_answer(failure, style_);
    if (answer.retry_after) header("retry-after", std::to_string(answer.retry_after->count()));
    json(answer.status, std::move(answer.body));
}

StreamReply Reply::stream(std::string_view content_type) {
    const auto to = take();
    header("content-type", std::string{content_type});
    to->begin({.status = 200, .headers = std::move(headers_), .body = {}});
    return StreamReply{to};
}

void Reply::respond(int status, std::string_view content_type, std::string body) {
    const auto to = take();
    if (!content_type.empty()) header("content-type", std::string{content_type});
    to->respond({.status = status, .headers = std::move(headers_), .body = std::move(body)});
}

std::shared_ptr<Responder> Reply::take() {
    BERTH_ASSERT(to_ != nullptr);  // answered twice
    return std::exchange(to_, nullptr);
}

}  // namespace berth
