// The only place that turns a FailureKind into an HTTP status, and a failure
// into the contract's error body (docs/api.md, "Errors").
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace berth {

// What 422 looks like: the contract has two manners, by route.
enum class ErrorStyle { fields, message };  // {"detail":[{loc,msg,type}]} | {"message"}

struct ErrorAnswer {
    int status = 500;
    std::string body;  // JSON text
    std::optional<std::chrono::seconds> retry_after;
};

int status_of(FailureKind kind);
// Failure.where is the place: `body.name` becomes ["body","name"].
ErrorAnswer error_answer(const Failure& failure, ErrorStyle style = ErrorStyle::fields);
// {"message": ...} with a status that no FailureKind has: 405, 413, 500 ...
ErrorAnswer error_answer(int status, std::string_view message);
// The words of a status line.
std::string_view reason_phrase(int status);

}  // namespace berth
