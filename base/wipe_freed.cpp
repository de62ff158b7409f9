// Memory is wiped before it is freed, in the programs that link this file: berthd, where
// secrets pass through on their way in, and berth-runner. Secret cleanses itself; this
// is for the copies that nobody counts, of strings that grew, of what a parser kept, of a
// buffer that was moved. An object library, since an archive's member would lose against
// the C++ library's own.
#include <malloc.h>
#include <string.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

void wipe_and_free(void* memory) noexcept {
    if (memory == nullptr) return;
    ::explicit_bzero(memory, ::malloc_usable_size(memory));
    std::free(memory);
}

}  // namespace

// The C++ library's operator new takes its memory from malloc(3) or aligned_alloc(3).
void operator delete(void* memory) noexcept { wipe_and_free(memory); }
void operator delete[](void* memory) noexcept { wipe_and_free(memory); }
void operator delete(void* memory, std::size_t) noexcept { wipe_and_free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { wipe_and_free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { wipe_and_free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { wipe_and_free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    wipe_and_free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
    wipe_and_free(memory);
}

#ifdef __SANITIZE_ADDRESS__
// AddressSanitizer knows only its own pairs of new and delete; and its search for leaks
// at exit uses ptrace, which these undumpable programs refuse.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
    return "alloc_dealloc_mismatch=0:detect_leaks=0";
}
#endif
