#include "control/public/pages.h"

#include <utility>

#include "base/crypto.h"
#include "base/text.h"
#include "control/public/connect_page.h"

namespace berth {
namespace {

constexpr std::size_t kCookieBytes = 32;  // of random_id()

}  // namespace

void page_headers(Reply& reply) {
    reply.header("content-security-policy", content_security_policy());
    reply.header("referrer-policy", "no-referrer");
    reply.header("x-content-type-options", "nosniff");
    reply.header("cache-control", "no-store");
}

void send_page(Reply reply, int status, std::string html) {
    page_headers(reply);
    reply.text(status, std::move(html), "text/html; charset=utf-8");
}

void send_on(Reply reply, std::string address) {
    page_headers(reply);
    reply.header("location", std::move(address));
    reply.empty(303);
}

void refuse_too_often(Reply reply) {
    reply.header("retry-after", "60");
    send_page(std::move(reply), 429, plain_page_html("Too many requests", "Please wait a minute."));
}

std::string cookie_of(const Request& request, std::string_view name) {
    for (const std::string& pair : split(request.headers.find("cookie").value_or(""), ';')) {
        const std::string_view text = trim(pair);
        if (text.starts_with(name) && text.substr(name.size()).starts_with('='))
            return std::string{text.substr(name.size() + 1)};
    }
    return {};
}

PageCookie page_cookie(const Request& request, std::string_view name) {
    PageCookie cookie{cookie_of(request, name)};
    cookie.is_fresh = cookie.value.size() != kCookieBytes;
    if (cookie.is_fresh) cookie.value = random_id();
    return cookie;
}

bool is_same_site(const Request& request) {
    const auto from = request.headers.find("sec-fetch-site");
    return !from || *from == "same-origin";
}

}  // namespace berth
