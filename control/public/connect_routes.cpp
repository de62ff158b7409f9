#include "control/public/connect_routes.h"

#include <memory>
#include <utility>

#include "base/crypto.h"
#include "base/text.h"
#include "control/public/connect_page.h"
#include "control/public/form.h"
#include "control/public/pages.h"
#include "control/public/rate_limit.h"
#include "model/limits.h"

namespace berth {
namespace {

constexpr std::string_view kCookie = "berth_connect";
constexpr std::string_view kMark = "_mark";

class Pages {
public:
    Pages(ConnectPageApi& api, const Clock& clock, bool tls)
        : api_{api}, clock_{clock}, tls_{tls} {}

    void show(const Request& request, Reply reply) {
        if (!views_.take(request.param("token"), clock_.steady()))
            return refuse_too_often(std::move(reply));
        std::string notice;
        if (const auto done = request.query.find("connected")) notice = "That is connected now.";
        render(request, std::move(reply), 200,
               {.token = std::string{request.param("token")},
                .mark = {},
                .notice = std::move(notice),
                .failed = {},
                .notice_is_error = false,
                .typed = {}});
    }

    void take(Request request, Reply reply) {
        const std::string token{request.param("token")};
        const std::string connector{request.param("connector_name")};
        if (!forms_.take(token, clock_.steady())) return refuse_too_often(std::move(reply));
        auto form = parse_form(request.body);
        cleanse(request.body.data(), request.body.size());
        ConnectView view;
        view.token = token;
        view.failed = connector;
        view.notice_is_error = true;
        const std::string cookie = cookie_of(request, kCookie);
        const auto mark = form ? form->find(std::string{kMark}) : decltype(form->begin()){};
        const bool ours =
            form && mark != form->end() && !cookie.empty() &&
            equal_constant_time(mark->second.reveal(), api_.form_mark(token, cookie)) &&
            is_same_site(request);
        if (!ours) {
            view.notice = "The page was too old, or cookies are off. Please try again.";
            return render(request, std::move(reply), 403, std::move(view));
        }
        form->erase(mark);
        std::erase_if(*form, [](const auto& field) { return field.second.empty(); });
        auto fields = std::make_shared<TypedFields>(std::move(*form));
        auto kept = std::make_shared<Request>(std::move(request));
        // Shown again with what is no secret, when the form is refused.
        api_.open(token, [this, kept, view, fields, connector,
                          reply = std::move(reply)](Result<ConnectPage> page) mutable {
            if (!page) return nothing_there(std::move(reply));
            for (const ConnectItem& item : page->items)
                for (const ConnectField& field : item.fields)
                    if (item.connector == connector && !field.secret)
                        if (const auto typed = fields->find(field.name); typed != fields->end())
                            view.typed[field.name] = typed->second.reveal();
            submit(std::move(*kept), std::move(view), std::move(*fields), std::move(reply));
        });
    }

private:
    void submit(Request request, ConnectView view, TypedFields fields, Reply reply) {
        const std::string token = view.token;
        const std::string connector = view.failed;
        auto kept = std::make_shared<Request>(std::move(request));
        api_.submit(token, connector, std::move(fields),
                    [this, kept, view, reply = std::move(reply)](Result<ConnectNext> next) mutable {
                        if (!next) {
                            if (next.error().kind == FailureKind::not_found)
                                return nothing_there(std::move(reply));
                            view.notice = "Not connected: " + next.error().message;
                            return render(*kept, std::move(reply), status_of(next.error().kind),
                                          std::move(view));
                        }
                        if (!next->cookie.empty()) reply.header("set-cookie", next->cookie);
                        send_on(std::move(reply), next->address.empty()
                                                      ? "/connect/" + view.token + "?connected=1"
                                                      : next->address);
                    });
    }

    void render(const Request& request, Reply reply, int status, ConnectView view) {
        PageCookie cookie = page_cookie(request, kCookie);
        view.mark = api_.form_mark(view.token, cookie.value);
        const std::string token = view.token;
        api_.open(token, [this, status, cookie, view = std::move(view),
                          reply = std::move(reply)](Result<ConnectPage> page) mutable {
            if (!page) return nothing_there(std::move(reply));
            if (cookie.is_fresh)
                reply.header("set-cookie",
                             fmt::format("{}={}; Path=/connect; HttpOnly; SameSite=Strict{}",
                                         kCookie, cookie.value, tls_ ? "; Secure" : ""));
            send_page(std::move(reply), status, connect_page_html(*page, view));
        });
    }

    // Revoked, never given out, not even a token: all the same.
    static void nothing_there(Reply reply) {
        send_page(std::move(reply), 404,
                  plain_page_html("This link does not work",
                                  "It may have been replaced. Please ask whoever gave it to you "
                                  "for a new one."));
    }

    ConnectPageApi& api_;
    const Clock& clock_;
    const bool tls_;
    RateLimit views_{{limits::kConnectViewsPerMinute / 60.0, limits::kConnectViewsPerMinute},
                     limits::kConnectLinks};
    RateLimit forms_{{limits::kConnectFormsPerMinute / 60.0, limits::kConnectFormsPerMinute},
                     limits::kConnectLinks};
};

}  // namespace

void add_auth_link_routes(Router& router, ConnectPageApi& api, const Clock& clock,
                          const std::string& public_url) {
    auto pages = std::make_shared<Pages>(api, clock, public_url.starts_with("https://"));
    Route show;
    show.method = Method::get;
    show.pattern = "/connect/{token}";
    show.role = Role::none;
    show.summary = "the page on which a customer connects a tenant";
    show.handler = [pages](Request request, Reply reply) {
        pages->show(request, std::move(reply));
    };
    router.add(std::move(show));
    Route take;
    take.method = Method::post;
    take.pattern = "/connect/{token}/{connector_name}";
    take.role = Role::none;
    take.summary = "connect one of its systems";
    take.handler = [pages](Request request, Reply reply) {
        pages->take(std::move(request), std::move(reply));
    };
    take.body_limit = limits::kFormBytes;
    take.content_type = "application/x-www-form-urlencoded";
    router.add(std::move(take));
}

}  // namespace berth
