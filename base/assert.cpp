#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace berth {

void assert_failed(const char* what, const char* file, int line) noexcept {
    std::fprintf(stderr, "%s:%d: this should always hold: %s\n", file, line, what);
    std::abort();
}

}  // namespace berth
