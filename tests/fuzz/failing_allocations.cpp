// Allocations that fail: preloaded, this takes the place of the allocator's functions and lets those fail that come from one
// library, from the n-th on or the n-th alone. For glibc. Python says when, through ctypes (failing.py).
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}

namespace {

std::atomic<uintptr_t> begin{0}, end{0};  // of the library's code
std::atomic<long> first{0};               // the number of the one to fail; 0: none
std::atomic<bool> is_alone{true};
std::atomic<long> asked{0}, failed{0};

bool fails(const void* caller) {
    const auto place = reinterpret_cast<uintptr_t>(caller);
    if (first.load() == 0 || place < begin.load() || place >= end.load())
        return false;
    const long number = ++asked;
    if (is_alone.load() ? number != first.load() : number < first.load())
        return false;
    ++failed;
    errno = ENOMEM;
    return true;
}

void* allocate_or_throw(size_t size, const void* caller) {
    void* const memory = fails(caller) ? nullptr : __libc_malloc(size != 0 ? size : 1);
    if (memory == nullptr)
        throw std::bad_alloc{};
    return memory;
}

}  // namespace

extern "C" {

void failing_library(uintptr_t begin_, uintptr_t end_) {
    begin = begin_;
    end = end_;
}
void failing_start(long n, int alone) {
    is_alone = alone != 0;
    asked = failed = 0;
    first = n;
}
// How many failed.
long failing_stop() {
    first = 0;
    return failed;
}

void* malloc(size_t size) { return fails(__builtin_return_address(0)) ? nullptr : __libc_malloc(size); }
void* calloc(size_t count, size_t size) { return fails(__builtin_return_address(0)) ? nullptr : __libc_calloc(count, size); }
void* realloc(void* memory, size_t size) {
    return size != 0 && fails(__builtin_return_address(0)) ? nullptr : __libc_realloc(memory, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
    return fails(__builtin_return_address(0)) ? nullptr : __libc_memalign(alignment, size);
}

}  // extern "C"

void* operator new(size_t size) { return allocate_or_throw(size, __builtin_return_address(0)); }
void* operator new[](size_t size) { return allocate_or_throw(size, __builtin_return_address(0)); }
void* operator new(size_t size, const std::nothrow_t&) noexcept {
    return fails(__builtin_return_address(0)) ? nullptr : __libc_malloc(size != 0 ? size : 1);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
    return fails(__builtin_return_address(0)) ? nullptr : __libc_malloc(size != 0 ? size : 1);
}
void* operator new(size_t size, std::align_val_t alignment) {
    void* const memory = fails(__builtin_return_address(0)) ? nullptr : __libc_memalign(static_cast<size_t>(alignment), size);
    if (memory == nullptr)
        throw std::bad_alloc{};
    return memory;
}
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return fails(__builtin_return_address(0)) ? nullptr : __libc_memalign(static_cast<size_t>(alignment), size);
}
