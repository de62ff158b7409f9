// What a bench has found out: figures by name, and goals that are met or missed. Printed as
// it comes, and written as JSON at the end, so that two runs can be compared.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/bench.h"

namespace berth::bench {

enum class Wanted { at_most, at_least };

struct Figure {
    std::string name;
    double value = 0;
    std::string unit;
};

class Figures {
public:
    explicit Figures(std::string bench) : bench_{std::move(bench)} {}

    // A heading for the lines that follow.
    void title(std::string_view text) const;
    void add(std::string_view name, double value, std::string_view unit);
    // p50, p90 and p99, in microseconds.
    void add(std::string_view name, const Samples& samples);
    // Nothing is a goal that was not measured: a `measured` of 0 is left out.
    void goal(std::string_view text, Wanted wanted, double limit, double measured);

    double value(std::string_view name) const;  // 0 when there is none
    // Prints the goals; true when all are met.
    bool print_goals() const;
    // To `path`; nothing when it is empty.
    void write(const std::string& path) const;

private:
    struct Goal {
        std::string text;
        Wanted wanted;
        double limit;
        double measured;
        bool met() const {
            return wanted == Wanted::at_most ? measured <= limit : measured >= limit;
        }
    };
    std::string bench_;
    std::vector<Figure> figures_;
    std::vector<Goal> goals_;
};

}  // namespace berth::bench
