// What the public pages share: how one is sent, and what a browser says of itself. A form
// counts only with a cookie of its page and the mark that was made for it, so that nobody
// can press its button from another site.
#pragma once

#include <string>
#include <string_view>

#include "control/http.h"
#include "control/reply.h"

namespace berth {

// Nothing is loaded, nothing runs, nobody frames or keeps it, and nobody is told of its address.
void page_headers(Reply& reply);
void send_page(Reply reply, int status, std::string html);
// To where a form leads.
void send_on(Reply reply, std::string address);
void refuse_too_often(Reply reply);

// Empty without one; of two, the first.
std::string cookie_of(const Request& request, std::string_view name);
// That of the request, or a new one; `is_fresh`: it must be set.
struct PageCookie {
    std::string value;
    bool is_fresh = false;
};
PageCookie page_cookie(const Request& request, std::string_view name);
// Browsers say where a form comes from; what says nothing has the cookie and the mark.
bool is_same_site(const Request& request);

}  // namespace berth
