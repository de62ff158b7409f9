// The program `berth` as a function: arguments in, exit code out.
#pragma once

#include <string>
#include <vector>

#include "cli/io.h"

namespace berth {

// `arguments` without the program's name.
Exit run_cli(std::vector<std::string> arguments, Io& io);

}  // namespace berth
