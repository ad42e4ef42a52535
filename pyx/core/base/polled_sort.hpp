// Sorting of what may be millions of items, with looks at a poll on the way: pieces by std::sort, then merged pairwise.
// Items are plain data. What is merged needs room for as many again.
#pragma once

#include <algorithm>

#include "poll.hpp"
#include "vector.hpp"

namespace evmcore {

// Items that are sorted, merged or looked at between two looks at a poll: less than a millisecond.
constexpr size_t POLLED_PIECE = size_t{1} << 13;

// Whether to stop. `poll` may be null.
inline bool should_stop(Poll* poll) noexcept { return poll != nullptr && poll->poll(Poll::HOOK_INTERVAL); }

// False without memory, or when the poll says stop: its `abort` tells. Then the items are of no use any more.
template <class T, class Less>
[[nodiscard]] bool sort_polled(T* first, size_t count, Less less, Poll* poll) noexcept {
    for (size_t begin = 0; begin < count; begin += POLLED_PIECE) {
        if (begin != 0 && should_stop(poll))
            return false;
        std::sort(first + begin, first + std::min(begin + POLLED_PIECE, count), less);
    }
    if (count <= POLLED_PIECE)
        return true;
    Vector<T> room;
    T* from = first;
    T* to = room.extend(count);
    if (to == nullptr)
        return false;
    for (size_t size = POLLED_PIECE; size < count; size *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * size) {
            const size_t middle = std::min(begin + size, count), end = std::min(begin + 2 * size, count);
            size_t a = begin, b = middle;
            for (size_t out = begin; out < end; ++out) {
                if (out % POLLED_PIECE == 0 && should_stop(poll))
                    return false;
                to[out] = b == end || (a < middle && !less(from[b], from[a])) ? from[a++] : from[b++];
            }
        }
        std::swap(from, to);
    }
    if (from != first)
        std::copy(from, from + count, first);
    return true;
}

}  // namespace evmcore
