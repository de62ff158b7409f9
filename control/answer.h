// The two steps that every route shares: answering with a form, and naming the
// caller. Whoever includes it includes nlohmann/json.hpp first.
#pragma once

#include <utility>

#include "control/api.h"
#include "control/http.h"
#include "control/reply.h"

namespace berth {

// A Done<T> that answers `status` with form(value), or the failure.
template <typename T, typename Form>
Done<T> answer(Reply reply, int status, Form form) {
    return [reply = std::move(reply), status, form](Result<T> result) mutable {
        if (!result) return reply.failed(result.error());
        reply.json(status, form(*result));
    };
}

// The same for values that have a to_form.
template <typename T>
Done<T> answer_form(Reply reply, int status = 200) {
    return answer<T>(std::move(reply), status, [](const T& value) { return to_form(value); });
}
template <typename T>
Done<std::vector<T>> answer_forms(Reply reply) {
    return answer<std::vector<T>>(std::move(reply), 200,
                                  [](const std::vector<T>& values) { return to_forms(values); });
}

inline Caller caller(const Request& request) { return {"uid " + std::to_string(request.peer.uid)}; }

}  // namespace berth
