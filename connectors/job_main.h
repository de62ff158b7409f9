// What berth-oauth and berth-call have in common: a program in a sandbox of its own, whose
// answer goes to the standard output and whose log goes to the other.
#pragma once

#include <string>

#include "base/error.h"

namespace berth {

// The answer, or why there is none, which ends the program with 2. It is wiped when it was
// written.
using JobWork = Result<std::string> (*)();
int job_main(const char* program, JobWork work);

// A variable, or "".
std::string from_environment(const std::string& name);

}  // namespace berth
