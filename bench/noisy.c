// A tenant's script that takes all it can: prints 100 MB/s, forks until it may not, and
// fills its scratch space, again and again, each or all at once, until it is ended.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BYTES_PER_MS = 100 * 1000, LINE = 100 };

static void pause_ms(long ms) {
    const struct timespec time = {0, ms * 1000000L};
    nanosleep(&time, NULL);
}

static void print(void) {
    static char lines[BYTES_PER_MS];
    memset(lines, 'x', sizeof lines);
    for (size_t at = LINE - 1; at < sizeof lines; at += LINE)
        lines[at] = '\n';
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (;;) {
        size_t sent = 0;
        while (sent < sizeof lines) {
            const ssize_t done = write(1, lines + sent, sizeof lines - sent);
            if (done <= 0) _exit(0);
            sent += (size_t)done;
        }
        next.tv_nsec += 1000000L;
        if (next.tv_nsec >= 1000000000L) {
            next.tv_nsec -= 1000000000L;
            ++next.tv_sec;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}

// Children do the same, so at the limit all of them go on trying.
static void multiply(void) {
    for (;;)
        if (fork() < 0) pause_ms(10);
}

// In files that are smaller than any limit of a file.
static void fill(void) {
    static char block[1 << 20];
    char name[] = "/tmp/fill-a";
    for (;;) {
        for (char which = 'a'; which <= 'z'; ++which) {
            name[sizeof name - 2] = which;
            const int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
            for (int i = 0; file >= 0 && i < 32; ++i)
                if (write(file, block, sizeof block) <= 0) break;
            if (file >= 0) close(file);
        }
        pause_ms(10);
    }
}

int main(int argc, char** argv) {
    const char* what = argc > 1 ? argv[1] : "all";
    const int all = strcmp(what, "all") == 0;
    if (all ? fork() == 0 : strcmp(what, "print") == 0) print();
    if (all ? fork() == 0 : strcmp(what, "multiply") == 0) multiply();
    fill();
    return 0;
}
