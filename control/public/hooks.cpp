#include "control/public/hooks.h"

#include "control/public/client_address.h"

namespace berth {
namespace {

void receive(HookReceiver& receiver, Request request, Reply reply) {
    HookCall call;
    call.token = request.param("token");
    call.method = to_string(request.method);
    call.uri = request.target;
    if (!request.raw_query.empty()) call.uri += "?" + request.raw_query;
    call.query = request.query.all();
    call.headers = request.headers.all();
    call.body = std::move(request.body);
    call.client = client_address(request.headers);
    receiver.receive(std::move(call), [reply = std::move(reply)](HookReply said) mutable {
        for (auto& [name, value] : said.headers)
            reply.header(std::move(name), std::move(value));
        if (said.body.empty()) return reply.empty(said.status);
        reply.text(said.status, std::move(said.body), said.content_type);
    });
}

}  // namespace

void add_hook_routes(Router& router, HookReceiver& receiver, std::size_t body_bytes) {
    const auto handler = [&receiver](Request request, Reply reply) {
        receive(receiver, std::move(request), std::move(reply));
    };
    router.add(
        {{.method = Method::post,
          .pattern = "/hooks/{token}",
          .role = Role::none,
          .summary = "take a provider's delivery",
          .handler = handler,
          .body_limit = body_bytes,
          .content_type = {},
          .gate =
              [&receiver](const NamedValues& params, Callback<void(Result<std::string>)> done) {
                  receiver.admit(std::string{params.find("token").value_or("")}, std::move(done));
              }},
         {.method = Method::get,
          .pattern = "/hooks/{token}",
          .role = Role::none,
          .summary = "answer a provider that asks whether we are there",
          .handler = handler,
          .content_type = {}}});
}

}  // namespace berth
