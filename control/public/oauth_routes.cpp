#include "control/public/oauth_routes.h"

#include <utility>

#include "control/public/form.h"

namespace berth {
namespace {

// What the provider said is in it: it runs nothing and loads nothing.
void page(Reply reply, int status, std::string_view title, std::string_view text) {
    reply.header("content-security-policy",
                 "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
    reply.header("referrer-policy", "no-referrer");
    reply.header("cache-control", "no-store");
    reply.header("x-content-type-options", "nosniff");
    reply.text(status,
               fmt::format("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                           "<meta name=\"viewport\" content=\"width=device-width\">"
                           "<title>{0}</title></head><body><main><h1>{0}</h1><p>{1}</p></main>"
                           "</body></html>\n",
                           html_escaped(title), html_escaped(text)),
               "text/html; charset=utf-8");
}

void go(Reply reply, const std::string& address) {
    reply.header("referrer-policy", "no-referrer");
    reply.header("cache-control", "no-store");
    reply.redirect(address);
}

void begin(OAuthApi& api, const Request& request, Reply reply) {
    const auto ticket = request.query.find("ticket");
    api.accept_invitation(std::string{ticket.value_or("")},
                          [reply = std::move(reply)](Result<OAuthStart> start) mutable {
                              if (!start)
                                  return page(std::move(reply), status_of(start.error().kind),
                                              "Not connected", start.error().message);
                              reply.header("set-cookie", start->cookie);
                              go(std::move(reply), start->authorize_url);
                          });
}

void callback(OAuthApi& api, const Request& request, Reply reply) {
    api.finish({request.query, std::string{request.headers.find("cookie").value_or("")}},
               [reply = std::move(reply)](Result<OAuthEnd> end) mutable {
                   if (!end)
                       return page(std::move(reply), status_of(end.error().kind), "Not connected",
                                   end.error().message);
                   if (!end->connected)
                       return page(std::move(reply), 400, "Not connected", end->text);
                   if (!end->return_to.empty()) return go(std::move(reply), end->return_to);
                   page(std::move(reply), 200, "Connected",
                        end->text + "; you can close this page");
               });
}

}  // namespace

void add_oauth_routes(Router& router, OAuthApi& api) {
    router.add({.method = Method::get,
                .pattern = "/v0/author/begin/oauth2",
                .role = Role::none,
                .summary = "go to the provider, as invited",
                .handler = [&api](Request request, Reply reply) {
                    begin(api, request, std::move(reply));
                }});
    router.add({.method = Method::get,
                .pattern = "/v0/author/callback/oauth2",
                .role = Role::none,
                .summary = "come back from the provider",
                .handler = [&api](Request request, Reply reply) {
                    callback(api, request, std::move(reply));
                }});
}

}  // namespace berth
