#include "control/public/oauth_routes.h"

#include <memory>
#include <utility>

#include "base/crypto.h"
#include "control/public/client_address.h"
#include "control/public/connect_page.h"
#include "control/public/form.h"
#include "control/public/pages.h"
#include "control/public/rate_limit.h"

namespace berth {
namespace {

constexpr const char* kBegin = "/v0/author/begin/oauth2";
constexpr const char* kCallback = "/v0/author/callback/oauth2";
constexpr const char* kMark = "_mark";
constexpr const char* kTicket = "ticket";
constexpr std::size_t kFormBytes = 4096;
// Of one address that the reverse proxy names; all that it does not name are one.
constexpr RateLimit::Rule kRule{5, 120};
constexpr std::size_t kSources = 4096;

void not_connected(Reply reply, int status, std::string_view why) {
    send_page(std::move(reply), status, plain_page_html("Not connected", why));
}

// Only the page that set the cookie can know it, and nobody else's page can send it along.
std::string mark_of(std::string_view ticket, std::string_view cookie) {
    return to_hex(sha256(fmt::format("begin|{}|{}", ticket, cookie)));
}

class Pages {
public:
    Pages(OAuthApi& api, const Clock& clock, bool tls)
        : api_{api},
          clock_{clock},
          tls_{tls},
          cookie_{tls ? "__Host-berth-begin" : "berth-begin"} {}

    void show(const Request& request, Reply reply) {
        if (is_too_often(request, begun_)) return refuse_too_often(std::move(reply));
        const std::string ticket{request.query.find(kTicket).value_or("")};
        api_.look_at_invitation(ticket, [this, ticket, cookie = page_cookie(request, cookie_),
                                         reply = std::move(reply)](
                                            Result<OAuthInvited> invited) mutable {
            if (!invited)
                return not_connected(std::move(reply), status_of(invited.error().kind),
                                     invited.error().message);
            if (cookie.is_fresh)
                reply.header("set-cookie",
                             fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict{}", cookie_,
                                         cookie.value, tls_ ? "; Secure" : ""));
            send_page(std::move(reply), 200,
                      button_page_html({"Connect " + invited->title,
                                        "The next page is the provider's own. It asks whether "
                                        "this integration may use your account.",
                                        kBegin,
                                        {{kMark, mark_of(ticket, cookie.value)}, {kTicket, ticket}},
                                        "Go on to " + invited->title}));
        });
    }

    void begin(const Request& request, Reply reply) {
        if (is_too_often(request, begun_)) return refuse_too_often(std::move(reply));
        const auto form = parse_form(request.body);
        const std::string cookie = cookie_of(request, cookie_);
        const auto field = [&](const char* name) {
            const auto found = form ? form->find(name) : decltype(form->begin()){};
            return form && found != form->end() ? found->second.reveal() : std::string_view{};
        };
        const std::string ticket{field(kTicket)};
        if (cookie.empty() || !is_same_site(request) ||
            !equal_constant_time(field(kMark), mark_of(ticket, cookie)))
            return not_connected(std::move(reply), 403,
                                 "the page was too old, or cookies are off; open the link again");
        api_.accept_invitation(
            ticket, [reply = std::move(reply)](Result<OAuthStart> start) mutable {
                if (!start)
                    return not_connected(std::move(reply), status_of(start.error().kind),
                                         start.error().message);
                reply.header("set-cookie", start->cookie);
                send_on(std::move(reply), start->authorize_url);
            });
    }

    void callback(const Request& request, Reply reply) {
        if (is_too_often(request, came_back_)) return refuse_too_often(std::move(reply));
        api_.finish({request.query, std::string{request.headers.find("cookie").value_or("")}},
                    [reply = std::move(reply)](Result<OAuthEnd> end) mutable {
                        if (!end)
                            return not_connected(std::move(reply), status_of(end.error().kind),
                                                 end.error().message);
                        if (!end->connected) return not_connected(std::move(reply), 400, end->text);
                        if (!end->return_to.empty())
                            return send_on(std::move(reply), end->return_to);
                        send_page(
                            std::move(reply), 200,
                            plain_page_html("Connected", end->text + "; you can close this page"));
                    });
    }

private:
    bool is_too_often(const Request& request, RateLimit& limit) {
        return !limit.take(client_address(request.headers), clock_.steady());
    }

    OAuthApi& api_;
    const Clock& clock_;
    const bool tls_;
    const std::string cookie_;
    RateLimit begun_{kRule, kSources};
    RateLimit came_back_{kRule, kSources};
};

}  // namespace

void add_oauth_routes(Router& router, OAuthApi& api, const Clock& clock,
                      const std::string& public_url) {
    auto pages = std::make_shared<Pages>(api, clock, public_url.starts_with("https://"));
    using Take = void (Pages::*)(const Request&, Reply);
    const auto route = [&](Method method, const char* pattern, const char* summary, Take take) {
        Route made;
        made.method = method;
        made.pattern = pattern;
        made.role = Role::none;
        made.summary = summary;
        made.handler = [pages, take](const Request& request, Reply reply) {
            (*pages.*take)(request, std::move(reply));
        };
        made.body_limit = kFormBytes;
        made.content_type = "application/x-www-form-urlencoded";
        router.add(std::move(made));
    };
    route(Method::get, kBegin, "show where an invitation leads", &Pages::show);
    route(Method::post, kBegin, "go to the provider, as invited", &Pages::begin);
    route(Method::get, kCallback, "come back from the provider", &Pages::callback);
}

}  // namespace berth
