// Every function of the store's interface as an operation that a test can do at
// random. operations_test.cpp holds the table against the headers of store/: a new
// function without an operation here is a failing test.
#pragma once

#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth::test {

// What an operation makes its choices with. The same state of the generator and the
// same database give the same operation.
struct Dice {
    std::mt19937_64 random;
    Time now = time_from_micros(1'800'000'000'000'000);

    std::size_t below(std::size_t limit);
    bool one_in(std::size_t times) { return below(times) == 0; }
    std::string hex(std::size_t digits);
    std::string envelope();  // made up, in the form the store looks at
    By by() const { return {"uid 0", now}; }
    // The `column` of some row; 0 when there is none.
    std::int64_t any(Db& db, const std::string& table, const std::string& column = "id");
};

enum class Effect { reads, writes };

struct Operation {
    const char* name;  // as in the header
    Effect effect;
    int weight;  // how often, among all
    // What it answered, as text: equal answers are equal texts.
    std::function<Result<std::string>(Db&, Dice&)> run;
};

std::span<const Operation> operations();
// One of them, by weight.
const Operation& any_operation(Dice& dice);

// What operations() is made of, by subject.
std::vector<Operation> catalog_operations();  // integrations, releases, connectors, settings, audit
std::vector<Operation> tenant_operations();   // tenants, keys, secrets
std::vector<Operation> run_operations();      // triggers, runs
std::vector<Operation> schedule_operations();
std::vector<Operation> lease_operations();
std::vector<Operation> vault_operations();       // rotation, manifests
std::vector<Operation> connection_operations();  // and provisioning, auth links
std::vector<Operation> oauth_operations();
std::vector<Operation> webhook_operations();  // and jobs

// Mostly the same one of two hosts writes, as long as this lives; its clock is the dice's.
class AsHost {
public:
    AsHost(Db& db, Dice& dice);
    AsHost(const AsHost&) = delete;
    AsHost& operator=(const AsHost&) = delete;
    ~AsHost();

private:
    struct DiceClock final : Clock {
        explicit DiceClock(Time t) : at{t} {}
        Time now() const override { return at; }
        SteadyTime steady() const override { return SteadyTime{at.time_since_epoch()}; }
        Time at;
    };
    Db& db_;
    const LeaseHolder before_;
    const DiceClock clock_;
};

// --- for the tables

template <typename T>
std::string say(const T& value);

template <typename T>
std::string say_all(const T& values) {
    std::string text = std::to_string(values.size());
    for (const auto& value : values)
        text += " " + say(value);
    return text;
}

// Enough of a value to tell it from another one.
template <typename T>
std::string say(const T& value) {
    if constexpr (std::is_arithmetic_v<T>)
        return std::to_string(value);
    else if constexpr (std::is_enum_v<T>)
        return std::to_string(static_cast<int>(value));
    else if constexpr (std::is_convertible_v<T, std::string_view>)
        return std::string{std::string_view{value}};
    else if constexpr (requires { value.has_value(); })
        return value ? say(*value) : "none";
    else if constexpr (requires { value.size(); })
        return say_all(value);
    else if constexpr (requires { value.second; })
        return say(value.first) + "=" + say(value.second);
    else if constexpr (requires { value.str(); })
        return value.str();
    else if constexpr (requires {
                           value.state;
                           value.attempt;
                           value.id;
                       })
        return say(value.id) + ":" + say(value.state) + ":" + say(value.attempt);
    else if constexpr (requires {
                           value.id;
                           value.name;
                       })
        return say(value.id) + ":" + value.name;
    else if constexpr (requires { value.id; })
        return say(value.id);
    else if constexpr (requires { value.seq; })
        return say(value.seq);
    else if constexpr (requires { std::string_view{value.data}; })
        return value.data;
    else if constexpr (requires { value.envelope; })
        return value.envelope;
    else if constexpr (requires { value.name; })
        return value.name;
    else
        return "one";
}

template <typename T>
Result<std::string> answer(const T& value) {
    return say(value);
}
template <typename T>
Result<std::string> answer(Result<T> result) {
    if (!result) return pass_on(result);
    if constexpr (std::is_void_v<T>)
        return std::string{"done"};
    else
        return say(*result);
}

// For what makes rows that are never removed: the tests' stores stay small.
Result<void> at_most(Db& db, const std::string& table, std::int64_t rows);

}  // namespace berth::test
