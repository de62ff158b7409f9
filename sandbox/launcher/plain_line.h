// The `run` line without the shell. Bash reads a line like `node index.js --full`, looks for
// the program and replaces itself by it; pid 2 does that at once and saves bash's own start
// (docs/decisions/037). What is more than that, and what goes wrong, is left to bash.
#pragma once

#include <cstddef>
#include <span>

#include "sandbox/launcher/plan.h"

namespace berth::launcher {

inline constexpr std::size_t kPlainLineBytes = 1024;  // with the zero at its end
inline constexpr std::size_t kPlainLineWords = 64;    // with the null pointer at their end

// The words of `line`, cut in `text`, a copy of it; then a null pointer. False for a line in
// which bash would do more than cut at blanks: quotes, expansions, operators, comments,
// assignments, its own commands, further lines; and for one that has no room.
bool cut_plain_line(const char* line, std::span<char> text, std::span<char*> words);

// Executes a plan of `/bin/bash -c LINE` without bash, with the environment that bash would
// give the program (bash(1), PWD, SHLVL and _). Returns where it cannot, or should not.
void execute_plain_line(const Plan& plan);

}  // namespace berth::launcher
