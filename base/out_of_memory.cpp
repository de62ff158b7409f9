#include "base/out_of_memory.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace berth {
namespace {

const char* program_name = "";  // set once, by main; a handler takes no argument

void say(const char* text) noexcept { (void)!::write(STDERR_FILENO, text, std::strlen(text)); }

}  // namespace

void end_when_out_of_memory(const char* program) noexcept {
    program_name = program;
    std::set_new_handler([] {
        say(program_name);
        say(": out of memory, leaving to be started again\n");
        std::abort();
    });
}

}  // namespace berth
