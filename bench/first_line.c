// What the end-to-end benchmark runs: one line, the monotonic time of its main in
// nanoseconds, which is also its state; then the end.
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    struct timespec now;
    char line[32];
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int size = snprintf(line, sizeof line, "%lld\n",
                              (long long)now.tv_sec * 1000000000LL + now.tv_nsec);
    return write(1, line, (size_t)size) == size ? 0 : 1;
}
